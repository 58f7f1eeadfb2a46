//! The command line's doctor on a local AWS: a healthy organization, and one defect at a time.

use crate::{cli::command_line, support::*};
use chrono::Utc;
use local_aws::{
    Credentials, Fault, FaultKind, LocalAws, Outcome, REGION, Recorder, World,
    deployment::{RUNBOOKS, function_arn, organize},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::process::Command;

const PACK: (&str, &str, &str) = (HUB, REGION, RULE);
/// A rule as AWS Config names one of a conformance pack.
const PACK_RULE: &str = "access-key-rotation-conformance-pack-abcdefghi";

/// An organization of the hub and two members, with everything that the rule needs, and a session of a role of the hub that
/// the members trust.
pub(crate) struct Clinic {
    pub(crate) aws: LocalAws,
    credentials: Credentials,
}

impl Clinic {
    pub(crate) async fn open() -> Clinic {
        let mut world = World::live_clock();
        let accounts = [HUB, MEMBER, OTHER_MEMBER].map(|id| (id, format!("account {id}")));
        organize(&mut world, HUB, &accounts, &format!("arn:aws:iam::{HUB}:role/security"));
        for (id, _) in accounts {
            populate(world.account(id), Utc::now(), 3, 40, 20);
        }
        let credentials = world.credentials(HUB, "security");
        Clinic { aws: LocalAws::start(world).await.unwrap(), credentials }
    }

    /// Exit status, standard output and standard error.
    async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Credentials { access_key_id, secret_access_key, session_token } = &self.credentials;
        let mut command = Command::new(command_line());
        command.args(["doctor", "--calls-per-second", "1000"]).args(arguments).env_clear();
        command.env("AWS_ENDPOINT_URL", self.aws.endpoint());
        command.env("AWS_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", access_key_id).env("AWS_SECRET_ACCESS_KEY", secret_access_key);
        command.envs(session_token.as_ref().map(|token| ("AWS_SESSION_TOKEN", token)));
        let output = command.output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Exit status, and each check as `ACCOUNT CHECK OF STATUS: SEEN | REMEDY`, for the whole without an account.
    pub(crate) async fn examine(&self, arguments: &[&str]) -> (Option<i32>, Vec<String>) {
        let (status, out, error) = self.run(&[&["--format", "json"], arguments].concat()).await;
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
        assert_eq!([&report["region"], &report["currentAccount"]], [REGION, HUB]);
        let line = |account: &str, check: &Value| {
            let text = |field: &str| check[field].as_str().map(str::to_owned);
            let parts =
                [Some(account.to_owned()).filter(|id| !id.is_empty()), text("check"), text("of"), text("status")];
            let remedy = text("remedy").map(|remedy| format!(" | {remedy}")).unwrap_or_default();
            format!(
                "{}: {}{remedy}",
                parts.into_iter().flatten().collect::<Vec<_>>().join(" "),
                check["seen"].as_str().unwrap()
            )
        };
        let mut lines: Vec<_> = report["checks"].as_array().unwrap().iter().map(|check| line("", check)).collect();
        for account in report["accounts"].as_array().unwrap() {
            let id = account["account"].as_str().unwrap();
            lines.extend(account["checks"].as_array().unwrap().iter().map(|check| line(id, check)));
        }
        (status, lines)
    }

    fn fault(&self, account: &str, action: &str, kind: FaultKind) {
        let (account, action) = (Some(account.to_owned()), Some(action.to_owned()));
        self.aws.world().faults.add(Fault { account, action, user: None, kind });
    }
}

/// Those that are neither well nor skipped.
fn ailing(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).filter(|line| !line.contains(" ok: ") && !line.contains(" skipped: ")).collect()
}

const ALL: &[&str] = &["--organization"];

#[tokio::test]
async fn a_healthy_organization_is_well_in_every_check_and_nothing_is_written() {
    let clinic = Clinic::open().await;
    let (status, lines) = clinic.examine(ALL).await;
    assert_eq!((status, ailing(&lines)), (Some(0), vec![]), "{lines:#?}");
    let skipped: Vec<_> = lines.iter().filter(|line| line.contains(" skipped: ")).collect();
    assert!(matches!(&skipped[..], [own] if own.starts_with(&format!("{HUB} permissions skipped: "))), "{skipped:?}");
    let of = |id: &str| lines.iter().filter(|line| line.starts_with(id)).count();
    // The hub's permissions are one check, a member's six.
    assert_eq!([HUB, MEMBER, OTHER_MEMBER].map(of), [9, 14, 14]);
    assert_eq!(lines.len() - 37, 3, "region, pack, other Regions");

    {
        let mut world = clinic.aws.world();
        let reads = |action: &str| ["Get", "List", "Describe"].iter().any(|verb| action.starts_with(verb));
        let others = world.calls().iter().filter(|call| !reads(&call.action));
        // The report is made anew at most every four hours, whoever asks; only a test run is taken with that token.
        let harmless = ["AssumeRole", "PutEvaluations"];
        assert!(others.clone().all(|call| call.outcome == Outcome::Ok));
        assert_eq!(others.map(|call| call.action.as_str()).collect::<BTreeSet<_>>(), harmless.into());
        for id in [MEMBER, OTHER_MEMBER] {
            let account = world.account(id);
            assert!(account.results(RULE).is_empty() && account.deliveries(RULE).is_empty());
        }
    }

    let (status, out, error) = clinic.run(ALL).await;
    let expected = format!(
        "{HUB}  permissions  skipped  the current account: only the function itself has the function's role (templates/hub.yaml)\n\
         all accounts: 3 ok\n\
         {HUB} (account {HUB}): 8 ok, 1 skipped\n\
         {MEMBER} (account {MEMBER}): 14 ok\n\
         {OTHER_MEMBER} (account {OTHER_MEMBER}): 14 ok\n"
    );
    assert_eq!((status, out.as_str(), error.as_str()), (Some(0), expected.as_str(), ""));
}

type Case = (&'static str, fn(&mut World), &'static [&'static str]);

/// Each defect, and the checks that tell of it: how they begin, and what else they say.
const DEFECTS: &[Case] = &[
    (
        "no recorder",
        |world| world.account(MEMBER).set_recorder(None),
        &["444455556666 recorder failed: there is no configuration recorder in us-east-1 | Turn AWS Config on there"],
    ),
    (
        "a recorder that is stopped",
        |world| world.account(MEMBER).set_recorder(Some(Recorder { recording: false, ..Recorder::of_everything() })),
        &["444455556666 recorder failed: default is stopped | aws configservice start-configuration-recorder \
           --configuration-recorder-name default --region us-east-1"],
    ),
    (
        "a recorder that fails",
        |world| {
            world.account(MEMBER).set_recorder(Some(Recorder { last_status: "Failure", ..Recorder::of_everything() }))
        },
        &[
            "444455556666 recorder failed: default fails to record: AccessDenied The role of the recorder may not describe \
           resources. | Mend what AWS Config names",
        ],
    ),
    (
        "a runbook that is missing",
        |world| assert!(world.account(MEMBER).delete_document(RUNBOOKS[1])),
        &[
            "444455556666 runbooks AccessKeyRotation-ReactivateKey failed: there is no such document | Look at this account's \
           instance of the StackSet",
        ],
    ),
    (
        "a runbook that is broken",
        |world| world.account(MEMBER).add_document(RUNBOOKS[0], "Failed"),
        &["444455556666 runbooks AccessKeyRotation-DeactivateStaleKeys failed: its status is Failed | Look at"],
    ),
    (
        "a runbook of which an earlier version is run",
        |world| world.account(MEMBER).set_document_versions(RUNBOOKS[2], 1, 3),
        &[
            "444455556666 runbooks AccessKeyRotation-DeleteDeactivatedKeys failed: version 1 is run, since it is the default; \
           the latest is 3 | aws ssm update-document-default-version --name AccessKeyRotation-DeleteDeactivatedKeys \
           --document-version 3 (for all accounts at once: templates/README.md, \"Update it\")",
        ],
    ),
    (
        "users whom AWS Config remediates no more",
        |world| {
            let account = world.account(MEMBER);
            account.set_rule_function(PACK_RULE, &function_arn(HUB));
            ["AIDAB", "AIDAA"].iter().for_each(|id| account.add_remediation_exception(PACK_RULE, id));
        },
        &[
            "444455556666 remediation failed: access-key-rotation-conformance-pack-abcdefghi has 2 remediation exceptions, so \
           nothing is started for AIDAA, AIDAB | See why the runs failed (aws configservice \
           describe-remediation-execution-status --config-rule-name access-key-rotation-conformance-pack-abcdefghi), then: aws \
           configservice delete-remediation-exceptions --config-rule-name access-key-rotation-conformance-pack-abcdefghi \
           --resource-keys ResourceType=AWS::IAM::User,ResourceId=AIDAA ResourceType=AWS::IAM::User,ResourceId=AIDAB",
        ],
    ),
    (
        "a function whose policy names other accounts",
        |world| {
            world.account(HUB).add_function(RULE);
            [HUB, OTHER_MEMBER].iter().for_each(|id| world.account(HUB).let_config_invoke(RULE, Some(id)));
        },
        &[
            "444455556666 invocable failed: by the policy of access-key-rotation, AWS Config of this account may not invoke it | \
           Add the account to MemberAccounts",
        ],
    ),
    (
        "a function without a policy",
        |world| world.account(HUB).add_function(RULE),
        &[
            "111122223333 invocable failed: by the policy",
            "444455556666 invocable failed: by the policy",
            "777788889999 invocable failed: by the policy",
        ],
    ),
    (
        "a pack that failed in an account",
        |world| {
            let error = Some(("ConformancePackTemplateValidationException", "The document\ndoes not exist."));
            world.organization(HUB).set_pack(PACK, MEMBER, "CREATE_FAILED", error);
        },
        &[
            "pack home Region failed: CREATE_FAILED | Fix it in the accounts in which it failed",
            "444455556666 pack failed: CREATE_FAILED, ConformancePackTemplateValidationException: The document does not \
             exist. | See templates/README.md, \"Troubleshooting\"",
        ],
    ),
    (
        "a pack that is still being deployed",
        |world| world.organization(HUB).set_pack(PACK, MEMBER, "CREATE_IN_PROGRESS", None),
        &[
            "pack home Region unknown: CREATE_IN_PROGRESS | Run it again in some minutes.",
            "444455556666 pack unknown: CREATE_IN_PROGRESS | Run it again in some minutes.",
        ],
    ),
    (
        "a pack that leaves an account out",
        |world| {
            assert!(world.organization(HUB).delete_pack(PACK));
            [HUB, OTHER_MEMBER]
                .iter()
                .for_each(|id| world.organization(HUB).set_pack(PACK, id, "CREATE_SUCCESSFUL", None));
        },
        &[
            "444455556666 pack failed: access-key-rotation was not deployed to this account | If the pack excludes this \
           account",
        ],
    ),
    (
        "no pack",
        |world| assert!(world.organization(HUB).delete_pack(PACK)),
        &[
            "pack home Region failed: this account has deployed no organization conformance pack access-key-rotation here | \
           Deploy it (templates/README.md, step 4)",
        ],
    ),
    (
        "a pack in a second Region",
        |world| world.organization(HUB).set_pack((HUB, "eu-west-1", RULE), MEMBER, "CREATE_SUCCESSFUL", None),
        &[
            "pack other Regions failed: access-key-rotation is in eu-west-1 as well, so that everything is found twice | \
           Delete it there: aws configservice delete-organization-conformance-pack",
        ],
    ),
];

#[tokio::test]
async fn each_defect_is_the_one_thing_that_is_told_with_what_to_do() {
    for (what, harm, expected) in DEFECTS {
        let clinic = Clinic::open().await;
        harm(&mut clinic.aws.world());
        let (status, lines) = clinic.examine(ALL).await;
        assert_told(what, &lines, expected);
        let unknown = expected.iter().any(|line| line.contains(" unknown: "));
        assert_eq!(status, Some(if unknown { 1 } else { 3 }), "{what}");
    }
}

#[track_caller]
fn assert_told(what: &str, lines: &[String], expected: &[&str]) {
    let told = ailing(lines);
    assert_eq!(told.len(), expected.len(), "{what}: {told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{what}: {told}");
    }
}

#[tokio::test]
async fn a_recorder_is_judged_by_every_form_of_its_recording_group() {
    let user = "AWS::IAM::User";
    let strategy = |name: &str| json!({ "useOnly": name });
    let (all, listed, but) =
        ("ALL_SUPPORTED_RESOURCE_TYPES", "INCLUSION_BY_RESOURCE_TYPES", "EXCLUSION_BY_RESOURCE_TYPES");
    let clinic = Clinic::open().await;
    for (group, status) in [
        (json!({ "allSupported": true, "includeGlobalResourceTypes": true }), "ok"),
        (json!({ "allSupported": true, "includeGlobalResourceTypes": false }), "failed"),
        (json!({ "allSupported": true, "includeGlobalResourceTypes": true, "recordingStrategy": strategy(all) }), "ok"),
        (json!({ "allSupported": true, "recordingStrategy": strategy(all) }), "failed"),
        (json!({ "allSupported": false, "resourceTypes": ["AWS::IAM::Role", user] }), "ok"),
        (json!({ "allSupported": false, "resourceTypes": ["AWS::IAM::Role"] }), "failed"),
        (json!({ "resourceTypes": [user], "recordingStrategy": strategy(listed) }), "ok"),
        (json!({ "resourceTypes": ["AWS::IAM::Role"], "recordingStrategy": strategy(listed) }), "failed"),
        (
            json!({ "exclusionByResourceTypes": { "resourceTypes": [user] }, "recordingStrategy": strategy(but) }),
            "failed",
        ),
        // The switch of the global types says nothing about this strategy.
        (
            json!({
                "exclusionByResourceTypes": { "resourceTypes": ["AWS::EC2::Subnet"] },
                "includeGlobalResourceTypes": false,
                "recordingStrategy": strategy(but),
            }),
            "ok",
        ),
        (json!({ "recordingStrategy": strategy("SOME_OTHER") }), "unknown"),
    ] {
        clinic.aws.world().account(MEMBER).set_recorder(Some(Recorder::of(group.clone())));
        let (_, lines) = clinic.examine(&["--account", MEMBER, "--before-rollout"]).await;
        let recorder = lines.iter().find(|line| line.contains(" recorder ")).unwrap();
        assert!(recorder.starts_with(&format!("{MEMBER} recorder {status}: ")), "{group}: {recorder}");
    }
    let daily = json!({
        "recordingFrequency": "CONTINUOUS",
        "recordingModeOverrides": [{ "resourceTypes": [user], "recordingFrequency": "DAILY" }],
    });
    let recorder = Recorder { recording_mode: daily, ..Recorder::of_everything() };
    clinic.aws.world().account(MEMBER).set_recorder(Some(recorder));
    let (status, lines) = clinic.examine(&["--account", MEMBER, "--before-rollout"]).await;
    assert_eq!(status, Some(0));
    assert!(lines.contains(&format!("{MEMBER} recorder ok: default records {user}, once a day")), "{lines:?}");
}

#[tokio::test]
async fn each_permission_that_the_role_lacks_is_told_and_what_hangs_on_it_is_skipped() {
    for (action, skipped) in [
        ("iam:ListUsers", 3),
        ("iam:ListAccessKeys", 1),
        ("iam:GetUser", 0),
        ("iam:GetAccessKeyLastUsed", 0),
        ("config:GetComplianceDetailsByConfigRule", 0),
        ("config:PutEvaluations", 0),
    ] {
        let clinic = Clinic::open().await;
        clinic.fault(MEMBER, action.split_once(':').unwrap().1, FaultKind::AccessDenied);
        let (status, lines) = clinic.examine(&["--account", MEMBER]).await;
        let expected = format!("{MEMBER} permissions {action} failed: {EVALUATION_ROLE} may not (AccessDenied");
        assert_told(action, &lines, &[&expected]);
        assert!(ailing(&lines)[0].contains("| Deploy the current templates/member.yaml there"), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains(" skipped: ")).count(), skipped, "{lines:#?}");
        assert_eq!(status, Some(3));
    }
    // A policy that shields one user is not about the role.
    let clinic = Clinic::open().await;
    for action in ["ListAccessKeys", "GetUser"] {
        let (action, user) = (Some(action.to_owned()), Some("user-0000".to_owned()));
        clinic.aws.world().faults.add(Fault { account: None, action, user, kind: FaultKind::AccessDenied });
    }
    assert_eq!(clinic.examine(&["--account", MEMBER]).await.0, Some(0));
    {
        let mut world = clinic.aws.world();
        let account = world.account(MEMBER);
        let names: Vec<_> = account.users().map(|user| user.name.clone()).collect();
        names.iter().for_each(|name| assert!(account.delete_user(name)));
    }
    let (status, lines) = clinic.examine(&["--account", MEMBER]).await;
    assert_eq!(
        (status, lines.iter().filter(|line| line.contains(" skipped: no user to try it on")).count()),
        (Some(0), 3)
    );
}

#[tokio::test]
async fn what_the_doctor_may_not_read_is_unknown_and_says_what_to_allow() {
    for (account, action, expected) in [
        (MEMBER, "config:DescribeConfigurationRecorders", "444455556666 recorder unknown"),
        (MEMBER, "config:DescribeConfigurationRecorderStatus", "444455556666 recorder unknown"),
        (MEMBER, "config:DescribeConfigRules", "444455556666 remediation unknown"),
        (MEMBER, "config:DescribeRemediationExceptions", "444455556666 remediation unknown"),
        (HUB, "lambda:GetFunctionConfiguration", "invocable unknown"),
        (HUB, "lambda:GetPolicy", "invocable unknown"),
        (HUB, "config:DescribeOrganizationConformancePackStatuses", "pack home Region unknown"),
        (HUB, "config:GetOrganizationConformancePackDetailedStatus", "pack accounts unknown"),
    ] {
        let clinic = Clinic::open().await;
        clinic.fault(account, action.split_once(':').unwrap().1, FaultKind::AccessDenied);
        let (status, lines) = clinic.examine(&["--account", MEMBER]).await;
        let expected = format!("{expected}: {action}: AccessDeniedException | Allow {action} to ");
        assert_told(action, &lines, &[&expected]);
        assert_eq!(status, Some(1), "{action}");
    }
    let clinic = Clinic::open().await;
    clinic.fault(MEMBER, "DescribeDocument", FaultKind::AccessDenied);
    let (status, lines) = clinic.examine(ALL).await;
    let expected = RUNBOOKS.map(|name| {
        format!(
            "{MEMBER} runbooks {name} unknown: ssm:DescribeDocument: AccessDeniedException | Allow ssm:DescribeDocument to the \
             role {EVALUATION_ROLE} there: templates/member.yaml does so with CommandLineRoleArn"
        )
    });
    assert_told("documents", &lines, &expected.each_ref().map(String::as_str));
    assert_eq!(status, Some(1));
}

#[tokio::test]
async fn remediation_exceptions_are_all_counted_and_only_those_of_the_rule() {
    let clinic = Clinic::open().await;
    {
        let mut world = clinic.aws.world();
        let account = world.account(MEMBER);
        // As many rules as there are on three pages, of other functions, before and after the one.
        for n in 0..60 {
            let other = format!("{}-{n}", if n % 2 == 0 { "a-rule" } else { "z-rule" });
            account.set_rule_function(&other, &function_arn(HUB).replace("access-key-rotation", "other"));
            account.add_remediation_exception(&other, "AIDAOTHER");
        }
        account.set_rule_function(PACK_RULE, &function_arn(HUB));
        (0..230).for_each(|n| account.add_remediation_exception(PACK_RULE, &format!("AIDA{n:03}")));
    }
    for faults in [&[][..], &[FaultKind::ShortPages(7), FaultKind::Throttle { probability: 0.2 }]] {
        clinic.aws.world().faults.clear();
        for kind in faults {
            let kind = kind.clone();
            clinic.aws.world().faults.add(Fault { account: None, action: None, user: None, kind });
        }
        let (status, lines) = clinic.examine(&["--account", MEMBER]).await;
        let expected = format!(
            "{MEMBER} remediation failed: {PACK_RULE} has 230 remediation exceptions, so nothing is \
                                started for AIDA000, "
        );
        assert_told("exceptions", &lines, &[&expected]);
        assert!(ailing(&lines)[0].contains("AIDA019 and 210 more | ") && status == Some(3), "{lines:?}");
        assert!(!ailing(&lines)[0].contains("AIDA020") && !ailing(&lines)[0].contains("OTHER"), "{lines:?}");
    }

    clinic.aws.world().faults.clear();
    let (status, lines) = clinic.examine(&["--account", MEMBER, "--function-name", "nothing"]).await;
    let skipped = format!("{MEMBER} remediation skipped: no rule of AWS Config invokes nothing here");
    assert!(lines.contains(&skipped) && status == Some(1), "{lines:?}");
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_costs_no_other_account_its_checks() {
    let clinic = Clinic::open().await;
    let stranger = "123456789012";
    clinic.aws.world().account(stranger).add_role(EVALUATION_ROLE, &format!("arn:aws:iam::{HUB}:role/other"));
    let missing = "210987654321";
    let accounts = ["--account", MEMBER, stranger, missing];
    let (status, lines) = clinic.examine(&[&accounts[..], &["--before-rollout"]].concat()).await;
    let expected = [stranger, missing].map(|id| {
        format!(
            "{id} role failed: {EVALUATION_ROLE} in account {id} cannot be assumed: it is not there, or does not trust"
        )
    });
    assert_told("before", &lines, &expected.each_ref().map(String::as_str));
    assert!(ailing(&lines)[0].contains("--role-name OrganizationAccountAccessRole"), "{lines:?}");
    assert_eq!(status, Some(3));
    assert!(lines.iter().any(|line| line.starts_with(&format!("{MEMBER} recorder ok"))), "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| !["runbooks", "permissions", "invocable", "pack"].iter().any(|word| line.contains(word)))
    );

    let (_, lines) = clinic.examine(&["--account", missing]).await;
    let remedy = "Deploy templates/member.yaml there, with the ARN of your role as CommandLineRoleArn (templates/README.md, step 3)";
    assert!(ailing(&lines)[0].contains(remedy), "{lines:?}");
    clinic.fault(HUB, "AssumeRole", FaultKind::ServerError { probability: 1.0 });
    let (status, lines) = clinic.examine(&["--account", MEMBER, "--before-rollout"]).await;
    assert_told("500", &lines, &["444455556666 role unknown: sts:AssumeRole: InternalFailure"]);
    assert_eq!(status, Some(1));
}

#[tokio::test]
async fn throttling_and_short_pages_cost_time_only_and_what_aws_does_not_answer_is_unknown() {
    let clinic = Clinic::open().await;
    clinic.aws.world().faults.add(Fault {
        account: None,
        action: None,
        user: None,
        kind: FaultKind::Throttle { probability: 0.3 },
    });
    let (status, lines) = clinic.examine(ALL).await;
    assert_eq!((status, ailing(&lines)), (Some(0), vec![]));

    clinic.aws.world().faults.clear();
    // Pages of one, and every third empty: the first user with a key is on the second.
    clinic.aws.world().account(MEMBER).create_user("a", Utc::now());
    clinic.aws.world().faults.add(Fault { account: None, action: None, user: None, kind: FaultKind::ShortPages(1) });
    let (status, lines) = clinic.examine(ALL).await;
    assert_eq!((status, ailing(&lines)), (Some(0), vec![]));
    assert!(lines.iter().any(|line| line.starts_with(&format!("{MEMBER} permissions iam:GetAccessKeyLastUsed ok"))));

    clinic.aws.world().faults.clear();
    clinic.fault(MEMBER, "DescribeDocument", FaultKind::ServerError { probability: 1.0 });
    clinic.fault(OTHER_MEMBER, "PutEvaluations", FaultKind::ServerError { probability: 1.0 });
    // A check that failed is no reason to keep silent about one that is unknown.
    clinic.aws.world().account(OTHER_MEMBER).set_recorder(None);
    let (status, out, error) = clinic.run(ALL).await;
    assert_eq!(
        (status, error.as_str()),
        (Some(1), "access-key-rotation: 4 checks are unknown: the output says which, and why\n")
    );
    let told: Vec<_> = out.lines().collect();
    let expected = [
        "444455556666  runbooks     unknown  AccessKeyRotation-DeactivateStaleKeys: ssm:DescribeDocument: InternalServerError",
        "                                    Run it again; if that does not help, look at this account's state in AWS.",
    ];
    assert_eq!(told[1..3], expected, "{out}");
    assert!(
        out.contains("777788889999  recorder     failed   there is no configuration recorder in us-east-1\n"),
        "{out}"
    );
    assert!(out.contains("777788889999  permissions  unknown  config:PutEvaluations: InternalFailure\n"), "{out}");
    let last = [
        "444455556666 (account 444455556666): 11 ok, 3 unknown",
        "777788889999 (account 777788889999): 12 ok, 1 failed, 1 unknown",
    ];
    assert_eq!(told[told.len() - 2..], last);
}

#[tokio::test]
async fn a_region_that_takes_no_credentials_is_passed_over_only_if_it_is_proven_not_to_be_enabled() {
    let opt_in = ["af-south-1", "ap-east-1", "ap-southeast-3", "eu-south-1", "me-south-1"];
    let refuse = |clinic: &Clinic, regions: &[&str], code| {
        regions.iter().for_each(|region| clinic.aws.world().refuse_region(region, code));
    };
    let elsewhere =
        |lines: &[String]| lines.iter().find(|line| line.starts_with("pack other Regions ")).unwrap().clone();
    let only_here = &["--account", HUB][..];
    let mut clinic = Clinic::open().await;
    refuse(&clinic, &opt_in[1..], "UnrecognizedClientException");
    let (status, lines) = clinic.examine(only_here).await;
    // af-south-1 takes the session, so that it is one which every enabled Region takes.
    let well = "pack other Regions ok: access-key-rotation is in none of the 17 others that record IAM users; not enabled: \
                ap-east-1, ap-southeast-3, eu-south-1, me-south-1";
    assert_eq!((status, elsewhere(&lines).as_str()), (Some(0), well));

    refuse(&clinic, &opt_in[..1], "UnrecognizedClientException");
    let (status, lines) = clinic.examine(only_here).await;
    let line = elsewhere(&lines);
    assert!(line.starts_with("pack other Regions skipped: access-key-rotation is in none of the 16 others"), "{line}");
    assert!(line.contains("not enabled: af-south-1, ap-east-1") && status == Some(0), "{line}");
    let access_key_id = format!("AKIALOCAL{HUB}");
    clinic.credentials = Credentials { access_key_id, secret_access_key: "any".to_owned(), session_token: None };
    let (status, lines) = clinic.examine(only_here).await;
    assert_eq!((status, elsewhere(&lines).contains(" ok: ")), (Some(0), true), "a user's access key");

    refuse(&clinic, &["eu-west-1"], "AccessDeniedException");
    refuse(&clinic, &["eu-west-2"], "UnrecognizedClientException");
    let (status, lines) = clinic.examine(only_here).await;
    let denied = "pack other Regions unknown: whether access-key-rotation is elsewhere too could not be read in eu-west-1 \
                  (AccessDeniedException), eu-west-2 (UnrecognizedClientException) | ";
    assert!(elsewhere(&lines).starts_with(denied) && status == Some(1), "{lines:?}");
}

#[tokio::test]
async fn the_home_region_must_be_one_that_records_users() {
    for (region, expected) in [
        ("ap-southeast-3", "region ok: AWS Config records AWS::IAM::User in ap-southeast-3"),
        ("eu-central-2", "region failed: AWS Config does not record AWS::IAM::User in eu-central-2"),
        ("mars-north-1", "region unknown: whether AWS Config records AWS::IAM::User in mars-north-1 is not known"),
    ] {
        let clinic = Clinic::open().await;
        let (_, out, error) = clinic.run(&["--before-rollout", "--region", region, "--format", "json"]).await;
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
        let check = &report["checks"][0];
        let line = format!("region {}: {}", check["status"].as_str().unwrap(), check["seen"].as_str().unwrap());
        assert!(line.starts_with(expected), "{line}");
    }
}

#[tokio::test]
async fn outside_the_hub_the_doctor_says_where_to_go() {
    let mut clinic = Clinic::open().await;
    clinic.credentials = clinic.aws.world().credentials(MEMBER, "security");
    let (status, out, _) = clinic.run(&[]).await;
    assert_eq!(status, Some(1));
    for line in [
        "all accounts  pack         unknown  home Region: account 444455556666 does not administer conformance packs\n",
        "all accounts  pack         skipped  other Regions: the pack is unknown\n",
        "all accounts  invocable    unknown  there is no function access-key-rotation in account 444455556666 and us-east-1\n",
        "444455556666  invocable    skipped  the function's policy is unknown\n",
        "444455556666  pack         skipped  the pack is unknown\n",
        "444455556666: 6 ok, 3 skipped\n",
    ] {
        assert!(out.contains(line), "{out}");
    }
    let (status, out, error) = clinic.run(&["--organization"]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(error.contains("organizations:ListAccounts: AccessDeniedException"), "{error}");
}

#[tokio::test]
async fn wrong_usage_says_what_is_allowed() {
    let clinic = Clinic::open().await;
    for (arguments, said) in [
        (&["--pack-name", "1st"][..], "a letter first"),
        (&["--function-name", "arn:aws:lambda:us-east-1:111122223333:function:rule"], "without the rest of its ARN"),
        (&["--format", "csv"], "[possible values: table, json]"),
        (&["--exclude", MEMBER], "--organization"),
    ] {
        let (status, out, error) = clinic.run(arguments).await;
        assert_eq!((status, out.as_str()), (Some(2), ""));
        assert!(error.contains(said), "{error}");
    }
    assert!(clinic.aws.world().calls().is_empty());
}

#[tokio::test]
async fn a_policy_that_is_not_the_templates_own_is_not_judged() {
    let statement = |condition: Value| {
        json!({
            "Effect": "Allow",
            "Principal": { "Service": "config.amazonaws.com" },
            "Action": "lambda:InvokeFunction",
            "Resource": "*",
            "Condition": condition,
        })
    };
    let deny = json!({ "Effect": "Deny", "Principal": { "AWS": "*" }, "Action": "lambda:*", "Resource": "*" });
    let by_list = statement(json!({ "StringEquals": { "aws:SourceAccount": [HUB, MEMBER] } }));
    let by_rule = statement(json!({ "ArnLike": { "AWS:SourceArn": "arn:aws:config:*:444455556666:*" } }));
    let two = statement(
        json!({ "StringEquals": { "AWS:SourceAccount": MEMBER }, "Bool": { "aws:SecureTransport": "true" } }),
    );
    let for_others = json!({
        "Effect": "Allow",
        "Principal": { "Service": "events.amazonaws.com" },
        "Action": "lambda:InvokeFunction",
        "Resource": "*",
    });
    for (statements, status) in [
        (vec![by_list.clone()], "ok"),
        (vec![by_list.clone(), deny], "unknown"),
        (vec![by_rule], "unknown"),
        (vec![two], "unknown"),
        (vec![for_others], "failed"),
    ] {
        let clinic = Clinic::open().await;
        clinic.aws.world().account(HUB).add_function(RULE);
        for statement in &statements {
            clinic.aws.world().account(HUB).add_statement(RULE, statement.clone());
        }
        let (_, lines) = clinic.examine(&["--account", MEMBER]).await;
        let line = lines.iter().find(|line| line.contains(" invocable ")).unwrap();
        assert!(line.starts_with(&format!("{MEMBER} invocable {status}: ")), "{statements:?}: {line}");
    }
}
