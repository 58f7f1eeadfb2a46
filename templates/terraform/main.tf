# The stacks and the pack of templates/README.md, for an organization. Read templates/INFRASTRUCTURE-AS-CODE.md before you apply it.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 6.62" }
  }
}

provider "aws" {
  alias               = "security"
  profile             = var.security_profile
  region              = var.region
  allowed_account_ids = [var.HubAccountId]
}

provider "aws" {
  alias                 = "management"
  profile               = var.management_profile
  region                = var.region
  forbidden_account_ids = [var.HubAccountId]
}

data "aws_partition" "security" {
  provider = aws.security
}

locals {
  release    = "s3.${var.region}.${data.aws_partition.security.dns_suffix}/${var.TemplatePrefix}"
  security   = "https://${var.TemplateBucket}.${local.release}"
  management = "https://${var.management_bucket}.${local.release}"
  function   = aws_cloudformation_stack.organization.outputs["FunctionArn"]
  event_bus  = replace(replace(local.function, ":lambda:", ":events:"), ":function:", ":event-bus/")

  # organization.yaml passes these on to every account but the management account.
  members = {
    CommandLineRoleArn = var.CommandLineRoleArn, PermissionsBoundary = var.PermissionsBoundary, RolePath = var.RolePath
    MaxAccessKeyAge    = var.MaxAccessKeyAge, MaxExemptionDays = var.MaxExemptionDays, QuietDays = var.QuietDays
    GraceDays          = var.GraceDays, Rotation = var.Rotation, RotationPath = var.RotationPath
    RotationSchedule   = var.RotationSchedule, RotateAfterDays = var.RotateAfterDays, SettleDays = var.SettleDays
    ScriptLogGroup     = var.ScriptLogGroup, OwnerTag = var.OwnerTag
  }
}

resource "aws_cloudformation_stack" "organization" {
  provider     = aws.security
  name         = "access-key-rotation"
  template_url = "${local.security}organization.yaml"
  parameters = merge(local.members, {
    TemplateBucket        = var.TemplateBucket, TemplatePrefix = var.TemplatePrefix, CodeSha256 = var.CodeSha256
    Architecture          = var.Architecture, OrganizationId = var.OrganizationId
    OrganizationalUnitIds = var.OrganizationalUnitIds, ExcludedAccounts = var.ExcludedAccounts
    MemberAccounts        = var.MemberAccounts, MemberAccounts2 = var.MemberAccounts2
    MemberAccounts3       = var.MemberAccounts3, MemberAccounts4 = var.MemberAccounts4
    OrganizationMayInvoke = var.OrganizationMayInvoke, AnyAccountMayInvoke = var.AnyAccountMayInvoke
    CoverageSchedule      = var.CoverageSchedule, ReservedConcurrency = var.ReservedConcurrency
    LogRetentionDays      = var.LogRetentionDays, FailedEventsReaderArn = var.FailedEventsReaderArn
    KmsKeyArn             = var.KmsKeyArn, AlarmEmail = var.AlarmEmail, Notices = var.Notices
    KnownShieldedUsers    = var.KnownShieldedUsers
  })
  capabilities = ["CAPABILITY_NAMED_IAM"]
  tags         = var.tags
  timeouts {
    create = "3h"
    update = "3h"
    delete = "3h"
  }
}

resource "aws_cloudformation_stack" "member" {
  provider     = aws.management
  name         = "access-key-rotation-member"
  template_url = "${local.management}member.yaml"
  parameters = merge(local.members, {
    HubAccountId = var.HubAccountId, Release = var.TemplatePrefix
    EventBusArn  = tobool(var.Notices) ? local.event_bus : ""
  })
  capabilities = ["CAPABILITY_NAMED_IAM"]
  tags         = var.tags
}

# An apply may succeed although accounts failed, or before they have the pack. So look at each account.
resource "aws_config_organization_conformance_pack" "pack" {
  count             = var.organization_pack ? 1 : 0
  provider          = aws.security
  name              = "access-key-rotation"
  template_s3_uri   = "s3://${var.TemplateBucket}/${var.TemplatePrefix}access-key-rotation.yaml"
  excluded_accounts = var.excluded_accounts
  dynamic "input_parameter" {
    for_each = {
      FunctionArn      = local.function, Frequency = var.Frequency, MaxAccessKeyAge = var.MaxAccessKeyAge
      WarnBeforeDays   = var.WarnBeforeDays, MaxExemptionDays = var.MaxExemptionDays, Deliver = var.Deliver
      QuietDays        = var.QuietDays, AutomaticRemediation = var.AutomaticRemediation
    }
    content {
      parameter_name  = input_parameter.key
      parameter_value = input_parameter.value
    }
  }
  timeouts {
    create = "1h"
    update = "1h"
    delete = "1h"
  }
  depends_on = [aws_cloudformation_stack.member]
}

resource "aws_cloudformation_stack" "notices" {
  count        = var.NoticeEmail != "" || anytrue([var.Chat, var.TicketQueue, var.OwnerTopic]) ? 1 : 0
  provider     = aws.security
  name         = "access-key-rotation-notices"
  template_url = "${local.security}notices.yaml"
  parameters = {
    NoticeEmail   = var.NoticeEmail, Chat = var.Chat, TicketQueue = var.TicketQueue, OwnerTopic = var.OwnerTopic
    AlarmTopicArn = aws_cloudformation_stack.organization.outputs["AlarmTopicArn"], KmsKeyArn = var.KmsKeyArn
  }
  tags = var.tags
}

# The last to come and the first to go, since it protects the others.
resource "aws_cloudformation_stack" "prevention" {
  count        = var.TargetIds == "" ? 0 : 1
  provider     = aws.management
  name         = "access-key-rotation-prevention"
  template_url = "${local.management}prevention.yaml"
  parameters = {
    TargetIds       = var.TargetIds, ExemptionRoles = var.ExemptionRoles, DeploymentRoles = var.DeploymentRoles
    RolePath        = var.RolePath, PermissionsBoundary = var.PermissionsBoundary
    AccessKeyPaths  = var.AccessKeyPaths, ProtectRecorder = var.ProtectRecorder
  }
  tags       = var.tags
  depends_on = [aws_cloudformation_stack.notices, aws_config_organization_conformance_pack.pack]
}
