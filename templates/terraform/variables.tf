# A capital letter begins the name of a templates' parameter. It has the same default, and templates/PARAMETERS.md describes it.
variable "region" {}            # the home Region
variable "management_bucket" {} # in the management account, with member.yaml and prevention.yaml
variable "management_profile" { default = "management" }
variable "security_profile" { default = "security" }
variable "organization_pack" { default = true } # false: no account has the organization's pack
variable "excluded_accounts" { default = [] }   # who does not get the organization's pack
variable "tags" { default = {} }                # of the stacks, and so of what they have
variable "HubAccountId" {}                      # the security account

# organization.yaml
variable "TemplateBucket" {}
variable "TemplatePrefix" {}
variable "CodeSha256" {}
variable "Architecture" { default = "arm64" }
variable "OrganizationId" {}
variable "OrganizationalUnitIds" {}
variable "MemberAccounts" { default = "" }
variable "MemberAccounts2" { default = "" }
variable "MemberAccounts3" { default = "" }
variable "MemberAccounts4" { default = "" }
variable "OrganizationMayInvoke" { default = "false" }
variable "AnyAccountMayInvoke" { default = "false" }
variable "ExcludedAccounts" { default = "" }
variable "CoverageSchedule" { default = "rate(12 hours)" }
variable "ReservedConcurrency" { default = 0 }
variable "LogRetentionDays" { default = 90 }
variable "FailedEventsReaderArn" { default = "" }
variable "PermissionsBoundary" { default = "" }
variable "RolePath" { default = "/" }
variable "KmsKeyArn" { default = "" }
variable "AlarmEmail" { default = "" }
variable "Notices" { default = "false" }
variable "KnownShieldedUsers" { default = "" }
variable "OwnerTag" { default = "owner" }
variable "CommandLineRoleArn" { default = "" }
variable "MaxAccessKeyAge" { default = 90 }
variable "MaxExemptionDays" { default = 365 }
variable "QuietDays" { default = 45 }
variable "GraceDays" { default = 30 }
variable "Rotation" { default = "false" }
variable "RotationPath" { default = "/" }
variable "RotationSchedule" { default = "" }
variable "RotateAfterDays" { default = 75 }
variable "SettleDays" { default = 7 }
variable "ScriptLogGroup" { default = "/aws/ssm/automation/executeScript" }

# The conformance pack
variable "Frequency" { default = "TwentyFour_Hours" }
variable "WarnBeforeDays" { default = 14 }
variable "Deliver" { default = "changes" }
variable "AutomaticRemediation" { default = "false" }

# notices.yaml, if you set one of these
variable "NoticeEmail" { default = "" }
variable "Chat" { default = "false" }
variable "TicketQueue" { default = "false" }
variable "OwnerTopic" { default = "false" }

# prevention.yaml, if you set TargetIds
variable "TargetIds" { default = "" }
variable "ExemptionRoles" { default = "access-key-rotation-administration" }
variable "DeploymentRoles" {
  default = "access-key-rotation-deployment,stacksets-exec-*,AWSCloudFormationStackSetExecutionRole,AWSControlTowerExecution"
}
variable "AccessKeyPaths" { default = "" }
variable "ProtectRecorder" { default = "true" }
