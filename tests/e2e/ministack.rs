//! The templates' policies where IAM enforces them: ministack, an emulator of AWS, runs the real function from the real
//! template, and serves the runbooks. It has no PutEvaluations, so the local AWS is AWS Config here.
//!
//! What Lambda itself does with a function's role, logging and sending failed events, ministack does not check, nor who may
//! invoke a function.

use crate::{
    coverage::COVERAGE_ROLE,
    deployed::{self, DELETION_ROLE, REMEDIATION_ROLE, python},
    runbooks::{DEACTIVATE, DELETE, REACTIVATE},
    support::*,
};
use chrono::Utc;
use emulator::{Ministack, Policy, USERS, key_id, root, user_id};
use local_aws::{
    ComplianceType::{self, Compliant, NonCompliant},
    Credentials, Fault, FaultKind, LocalAws, World, events,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
};

mod emulator;
mod rotating;

/// What comes of a sweep that may not call an action: an error of this type, and results for these users only.
const SWEEPS_WITHOUT: [(&str, &str, &[&str]); 7] = [
    (
        "config:GetComplianceDetailsByConfigRule",
        "AccessDenied",
        &["fresh", "keyless", "retired", "retired-too", "stale"],
    ),
    ("config:PutEvaluations", "AccessDenied", &[]),
    ("iam:GetAccessKeyLastUsed", "AccessDenied", &["fresh", "keyless", "retired", "retired-too", "stale"]),
    ("iam:GetUser", "AccessDenied", &["fresh", "keyless", "retired", "retired-too"]),
    ("iam:ListEntitiesForPolicy", "AccessDenied", &["fresh", "keyless", "retired", "retired-too", "stale"]),
    // So few users may all be shielded.
    ("iam:ListAccessKeys", "Incomplete", &[]),
    ("iam:ListUsers", "AccessDenied", &[]),
];

/// What came of an invocation.
#[derive(Debug, PartialEq)]
struct Swept {
    /// Type and message.
    error: Option<[String; 2]>,
    results: BTreeMap<String, ComplianceType>,
    /// The users whose keys were read.
    read: BTreeSet<String>,
}

/// The deployed function and its AWS Config.
struct Rule {
    aws: Ministack,
    config: LocalAws,
}

impl Rule {
    /// A sweep on schedule. The Config rule is new each time, so that there are no results but those of this sweep.
    fn sweep(&self, account: &str, role: &str) -> Swept {
        let started = Utc::now().timestamp_micros();
        let rule = format!("rule-{started}");
        let event = {
            let mut world = self.config.world();
            world.accept_foreign_credentials(account, role);
            events::scheduled(&mut world, account, &rule, &[]).to_string()
        };
        let path = "/2015-03-31/functions/access-key-rotation/invocations";
        let (head, answer) = self.aws.post(HUB, "lambda", path, "Content-Type: application/json", &event);
        let error = head.contains("x-amz-function-error").then(|| {
            let answer: Value = serde_json::from_str(&answer).unwrap();
            ["errorType", "errorMessage"].map(|field| answer[field].as_str().unwrap().to_owned())
        });
        let mut world = self.config.world();
        let results = world.account(account).results(&rule).iter();
        let results = results.map(|(id, result)| (id.clone(), result.compliance)).collect();
        Swept { error, results, read: self.read(account, started) }
    }

    /// The users whose keys were read since then, as CloudTrail tells.
    fn read(&self, account: &str, since: i64) -> BTreeSet<String> {
        let header = "X-Amz-Target: CloudTrail_20131101.LookupEvents\r\nContent-Type: application/x-amz-json-1.1";
        let since = format!("{{\"StartTime\":{}.{:06}}}", since / 1_000_000, since % 1_000_000);
        let answer: Value = serde_json::from_str(&self.aws.post(account, "cloudtrail", "/", header, &since).1).unwrap();
        let details =
            answer["Events"].as_array().unwrap().iter().map(|event| event["CloudTrailEvent"].as_str().unwrap());
        let details = details.map(|event| serde_json::from_str::<Value>(event).unwrap());
        let reads = details.filter(|event| event["requestParameters"]["Action"] == "ListAccessKeys");
        reads.map(|event| event["requestParameters"]["UserName"].as_str().unwrap().to_owned()).collect()
    }

    /// The role can do its work. Gives its policy.
    fn sweeps<'a>(&'a self, account: &'a str, role: &'a str) -> Policy<'a> {
        let everyone = USERS.map(|(name, _)| name);
        let read = everyone.iter().map(|user| (*user).to_owned()).collect();
        let right = Swept { error: None, results: results(account, &everyone), read };
        let policy = Policy::read(&self.aws, account, role, "evaluation");
        assert_eq!(self.sweep(account, role), right, "{role}");
        policy
    }

    /// The role can do its work, and without any one action it is as the table says.
    fn needs_each_action(&self, account: &str, role: &str) {
        let policy = self.sweeps(account, role);
        for (action, kind, known) in SWEEPS_WITHOUT {
            match action.strip_prefix("config:") {
                Some(action) => {
                    let fault = Fault {
                        account: None,
                        action: Some(action.to_owned()),
                        user: None,
                        kind: FaultKind::AccessDenied,
                    };
                    self.config.world().faults.add(fault);
                }
                None => policy.put_without(action),
            }
            let swept = self.sweep(account, role);
            let [found, message] = swept.error.expect(action);
            assert!(found == kind && message.contains(action), "{role}, {action}: {found}: {message}");
            assert_eq!(swept.results, results(account, known), "{role}, {action}");
            self.config.world().faults.clear();
        }
        policy.put(&policy.document);
    }
}

/// What a sweep finds of these users.
fn results(account: &str, users: &[&str]) -> BTreeMap<String, ComplianceType> {
    let verdict = |user: &str| if user == "stale" { NonCompliant } else { Compliant };
    users.iter().map(|user| (user_id(account, user), verdict(user))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_updated_rolled_back_and_removed() {
    let config = LocalAws::start(World::live_clock()).await.unwrap();
    let rule = Rule { aws: Ministack::start(Some(&config.endpoint())), config };
    let read = |account: &str, words: &str| rule.aws.cli(&root(account), words, &[]);
    let function = "lambda get-function-configuration --function-name access-key-rotation";
    let role = |name: &str| format!("iam get-role --role-name {name}");
    let mut code = Vec::new();
    for (release, people) in [("1", ""), ("2", "arn:aws:iam::111122220000:role/security"), ("1", "")] {
        rule.aws.deploy_hub(release);
        rule.aws.deploy_member(people);
        rule.sweeps(HUB, FUNCTION_ROLE);
        code.push(read(HUB, function).unwrap()["CodeSha256"].clone());
        let trust = read(MEMBER, &role(EVALUATION_ROLE)).unwrap()["Role"]["AssumeRolePolicyDocument"].to_string();
        assert_eq!(trust.contains("role/security"), !people.is_empty(), "{release}");
    }
    assert!(code[0] == code[2] && code[0] != code[1] && code[0].is_string(), "{code:?}");

    rule.aws.remove(MEMBER);
    rule.aws.remove(HUB);
    for name in [EVALUATION_ROLE, REMEDIATION_ROLE, DELETION_ROLE] {
        assert!(read(MEMBER, &role(name)).unwrap_err().contains("NoSuchEntity"), "{name}");
    }
    assert!(read(HUB, &role(FUNCTION_ROLE)).unwrap_err().contains("NoSuchEntity"));
    assert!(read(HUB, function).unwrap_err().contains("ResourceNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_needs_each_action_that_it_is_allowed() {
    let config = LocalAws::start(World::live_clock()).await.unwrap();
    let rule = Rule { aws: Ministack::start(Some(&config.endpoint())), config };
    rule.aws.deploy_hub("1");
    rule.aws.deploy_member("");
    // The rest of the role's policy is for the check of coverage.
    let (mut all, coverage) = (deployed::actions(EVALUATION_ROLE), deployed::actions(COVERAGE_ROLE));
    // No sweep calls them, but a change of a user who may get a notice (notices.rs), and an oversized one (exposed.rs).
    for action in ["config:GetComplianceDetailsByResource", "iam:ListAttachedUserPolicies"] {
        assert!(all.remove(action), "{action}");
    }
    assert_eq!(BTreeSet::from(SWEEPS_WITHOUT.map(|(action, ..)| action.to_owned())), &all - &coverage);
    rule.needs_each_action(HUB, FUNCTION_ROLE);

    let assert_denied = |why: &str| {
        let swept = rule.sweep(MEMBER, EVALUATION_ROLE);
        let [kind, message] = swept.error.expect(why);
        assert!(kind == "AccessDenied" && message.contains("sts:AssumeRole"), "{why}: {kind}: {message}");
        assert!(swept.results.is_empty() && swept.read.is_empty(), "{why}");
    };
    assert_denied("ministack does not tell a role's organization, so that the condition is not met");
    let answer = rule.aws.cli(&root(HUB), "organizations describe-organization", &[]).unwrap();
    let organization = answer["Organization"]["Id"].as_str().unwrap();
    // It does tell the caller's, which stands in for the role's from here on.
    let mut policy = Policy::read(&rule.aws, HUB, FUNCTION_ROLE, "function");
    let document = policy.document.to_string().replace("aws:ResourceOrgID", "aws:PrincipalOrgID");
    policy.put(&serde_json::from_str(&document).unwrap());
    assert_denied("it is another organization");
    policy.document = serde_json::from_str(&document.replace("o-exampleorgid", organization)).unwrap();
    policy.put_without("sts:AssumeRole");
    assert_denied("no policy allows it");
    policy.put(&policy.document);
    rule.needs_each_action(MEMBER, EVALUATION_ROLE);

    // Root users may do everything, so that this is the trust policy's doing.
    for account in [HUB, MEMBER] {
        let error = rule.aws.assume(&root(account), EVALUATION_ROLE).unwrap_err();
        assert!(error.contains("AccessDenied"), "{error}");
    }
}

impl Ministack {
    /// A session of a role, which only Systems Manager may assume: here the account itself is let in.
    fn assume_of_runbooks(&self, role: &str) -> Credentials {
        let error = self.assume(&root(MEMBER), role).unwrap_err();
        assert!(error.contains("AccessDenied"), "{error}");
        let statement = json!({ "Effect": "Allow", "Principal": { "AWS": MEMBER }, "Action": "sts:AssumeRole" });
        let trust = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
        self.iam(MEMBER, "UpdateAssumeRolePolicy", &[("RoleName", role), ("PolicyDocument", &trust)]);
        self.assume(&root(MEMBER), role).unwrap()
    }

    /// Runs a runbook for a user. Gives what became of the key, or the text of the error.
    fn runbook(&self, caller: &Credentials, name: &str, user: &str) -> Result<String, String> {
        let mut inputs = json!({ "ResourceId": user_id(MEMBER, user), "DryRun": "false" });
        if name == REACTIVATE {
            inputs["AccessKeyId"] = key_id(MEMBER, user).into();
        }
        let results = self.results(caller, name, &inputs)?;
        assert_eq!(results[0]["AccessKeyId"], key_id(MEMBER, user));
        Ok(results[0]["Outcome"].as_str().unwrap().to_owned())
    }

    /// Runs a runbook. Gives its results, or the text of the error.
    fn results(&self, caller: &Credentials, name: &str, inputs: &Value) -> Result<Value, String> {
        let file = self.path().join("document.json");
        fs::write(&file, deployed::document(name).to_string()).unwrap();
        let mut command = python();
        command.args(["tests/rollout/runbook.py", &inputs.to_string()]).stdin(File::open(file).unwrap());
        let output = self.run(caller, &mut command);
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        Ok(serde_json::from_slice::<Value>(&output.stdout).unwrap()["Results"].take())
    }

    /// The status of the user's key, if it is there.
    fn status(&self, user: &str) -> Option<String> {
        let keys = self.iam(MEMBER, "ListAccessKeys", &[("UserName", user)]);
        Some(keys.split_once("<Status>")?.1.split_once("</Status>")?.0.to_owned())
    }
}

#[test]
fn the_runbooks_need_each_action_that_they_are_allowed() {
    let aws = Ministack::start(None);
    aws.deploy_member("");
    let assert_needs = |policy: &Policy<'_>, action: &str, caller: &Credentials, runbook: &str, user: &str| {
        policy.put_without(action);
        let error = aws.runbook(caller, runbook, user).unwrap_err();
        assert!(error.contains(&format!("not authorized to perform: {action}")), "{action}: {error}");
        policy.put(&policy.document);
    };
    let assert_does = |caller: &Credentials, runbook: &str, user: &str, outcome: &str, status: Option<&str>| {
        assert_eq!(aws.runbook(caller, runbook, user).as_deref(), Ok(outcome));
        assert_eq!(aws.status(user).as_deref(), status, "{runbook}");
    };
    let assert_may_not = |caller: &Credentials, words: &str| {
        let error = aws.cli(caller, &format!("iam {words} --user-name fresh"), &[]).unwrap_err();
        assert!(error.contains("AccessDenied"), "{words}: {error}");
    };
    let but = |role: &str, others: &[&str]| {
        deployed::actions_of_script(role)
            .into_iter()
            .filter(|action| !others.contains(&action.as_str()))
            .collect::<Vec<_>>()
    };

    let caller = aws.assume_of_runbooks(REMEDIATION_ROLE);
    let policy = Policy::read(&aws, MEMBER, REMEDIATION_ROLE, "remediation");
    // A run goes on without the tag, and removes a record only if IAM refuses the deed.
    for action in but(REMEDIATION_ROLE, &["iam:TagUser", "ssm:DeleteParameter"]) {
        assert_needs(&policy, &action, &caller, DEACTIVATE, "stale");
        assert_eq!(aws.status("stale").as_deref(), Some("Active"), "{action}");
    }
    let tags = || aws.cli(&root(MEMBER), "iam list-user-tags --user-name stale", &[]).unwrap()["Tags"].to_string();
    policy.put_without("iam:TagUser");
    assert_does(&caller, DEACTIVATE, "stale", "deactivated", Some("Inactive"));
    assert_eq!(tags(), "[]");
    policy.put(&policy.document);
    assert_does(&caller, REACTIVATE, "stale", "reactivated", Some("Active"));
    assert!(tags().contains("access-key-rotation:last-change"));
    // It was on again, and a run leaves it on.
    assert_does(&caller, DEACTIVATE, "stale", "left as it is", Some("Active"));
    let (own, exemption) = ("access-key-rotation:last-change", "access-key-rotation:exempt-until");
    aws.cli(&caller, &format!("iam tag-user --user-name fresh --tags Key={own},Value=now"), &[]).unwrap();
    assert_may_not(&caller, &format!("tag-user --tags Key={exemption},Value=2030-01-01"));
    assert_may_not(&caller, &format!("tag-user --tags Key={own},Value=now Key={exemption},Value=2030-01-01"));
    assert_may_not(&caller, &format!("untag-user --tag-keys {own}"));
    let elsewhere = "ssm put-parameter --type String --value x --name /others/keys/x";
    assert!(aws.cli(&caller, elsewhere, &[]).unwrap_err().contains("AccessDenied"));

    let caller = aws.assume_of_runbooks(DELETION_ROLE);
    let mut policy = Policy::read(&aws, MEMBER, DELETION_ROLE, "deletion");
    // ministack asks for all parameters where Systems Manager asks for those of the path.
    let by_path = json!({ "Effect": "Allow", "Action": ["ssm:GetParametersByPath"], "Resource": "*" });
    policy.document["Statement"].as_array_mut().unwrap().push(by_path);
    policy.put(&policy.document);
    // Either proof is enough, and what CloudTrail proves is not written about a key that is due.
    let proofs = ["cloudtrail:LookupEvents", "iam:GenerateCredentialReport", "iam:GetCredentialReport"];
    for action in but(DELETION_ROLE, &[&proofs[..], &["ssm:PutParameter", "ssm:DeleteParameter"]].concat()) {
        assert_needs(&policy, &action, &caller, DELETE, "retired");
        assert_eq!(aws.status("retired").as_deref(), Some("Inactive"), "{action}");
    }
    for action in &proofs[1..] {
        policy.put_without(action);
        assert_does(&caller, DELETE, "retired", "left as it is", Some("Inactive"));
    }
    policy.put(&policy.document);
    assert_does(&caller, DELETE, "retired", "deleted", None);
    // The key that was due is deleted, and only its record stays.
    assert_needs(&policy, "ssm:DeleteParameter", &caller, DELETE, "retired-too");
    assert_eq!(aws.status("retired-too"), None);
    assert_may_not(&caller, &format!("tag-user --tags Key={own},Value=now"));
    for user in ["stale", "fresh"] {
        assert_eq!(aws.status(user).as_deref(), Some("Active"), "{user}");
    }
}
