//! The role that rotates keys into secrets, where IAM enforces its policy: only users and secrets with the tags.

use super::emulator::{Ministack, Policy, key_id, root, user_id};
use crate::{
    deployed::{ROTATION_ROLE, python},
    runbooks_rotating::ROTATE,
    support::*,
};
use local_aws::Credentials;
use serde_json::{Value, json};

/// Makes calls of a JSON list, each with service, operation and parameters, and prints the error's code, or `null`, of each.
const CALLS: &str = "
import boto3, json, sys
from botocore.exceptions import ClientError
codes = []
for service, operation, parameters in json.loads(sys.argv[1]):
    try:
        getattr(boto3.client(service), operation)(**parameters)
        codes.append(None)
    except ClientError as error:
        codes.append(error.response['Error']['Code'])
print(json.dumps(codes))
";

impl Ministack {
    fn codes(&self, caller: &Credentials, calls: &[Value]) -> Vec<Option<String>> {
        let mut command = python();
        command.args(["-c", CALLS, &json!(calls).to_string()]);
        let output = self.run(caller, &mut command);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn assert_denied(&self, caller: &Credentials, calls: &[Value]) {
        for (call, code) in calls.iter().zip(self.codes(caller, calls)) {
            assert!(code.as_ref().is_some_and(|code| code.starts_with("AccessDenied")), "{call}: {code:?}");
        }
    }

    fn tag(&self, user: &str, secret: &str, value: &str) {
        let tag = |name: &str, value: &str| json!([{ "Key": format!("access-key-rotation:{name}"), "Value": value }]);
        let calls = [
            json!(["iam", "tag_user", { "UserName": user, "Tags": tag("secret", value) }]),
            json!(["secretsmanager", "tag_resource", { "SecretId": secret, "Tags": tag("user", value) }]),
        ];
        assert_eq!(self.codes(&root(MEMBER), &calls), [None, None]);
    }
}

/// The changes of a user and the calls of a secret that a rotation makes.
fn calls(user: &str, secret: &str) -> Vec<Value> {
    let key = json!({ "UserName": user, "AccessKeyId": key_id(MEMBER, user) });
    let inactive = json!({ "UserName": user, "AccessKeyId": key_id(MEMBER, user), "Status": "Inactive" });
    let store = json!({ "SecretId": secret, "SecretString": "{}", "VersionStages": ["AWSPENDING"] });
    // Of a version that there is not: only who may not call this is denied.
    let switch = json!({ "SecretId": secret, "VersionStage": "AWSCURRENT", "RemoveFromVersionId": "x".repeat(32) });
    vec![
        json!(["iam", "create_access_key", { "UserName": user }]),
        json!(["iam", "update_access_key", inactive]),
        json!(["iam", "delete_access_key", key]),
        json!(["secretsmanager", "describe_secret", { "SecretId": secret }]),
        json!(["secretsmanager", "get_secret_value", { "SecretId": secret }]),
        json!(["secretsmanager", "put_secret_value", store]),
        json!(["secretsmanager", "update_secret_version_stage", switch]),
    ]
}

#[test]
fn the_rotation_changes_no_user_and_no_secret_without_the_tags() {
    let aws = Ministack::start(None);
    aws.deploy_member("");
    let caller = aws.assume_of_runbooks(ROTATION_ROLE);
    let mut policy = Policy::read(&aws, MEMBER, ROTATION_ROLE, "rotation");
    // ministack knows a secret's tags by their general name only.
    let document = policy.document.to_string();
    assert!(document.contains("secretsmanager:ResourceTag/"));
    policy.document =
        serde_json::from_str(&document.replace("secretsmanager:ResourceTag/", "aws:ResourceTag/")).unwrap();
    policy.put(&policy.document);
    for (name, user) in [("bots/deploy", "stale"), ("bots/other", "fresh")] {
        let value = json!({ "AccessKeyId": key_id(MEMBER, user), "SecretAccessKey": "any" }).to_string();
        aws.cli(&root(MEMBER), &format!("secretsmanager create-secret --name {name} --secret-string"), &[&value])
            .unwrap();
    }

    aws.assert_denied(&caller, &calls("stale", "bots/deploy"));
    // A blank tag names nothing.
    aws.tag("stale", "bots/deploy", "");
    aws.assert_denied(&caller, &calls("stale", "bots/deploy"));
    // It lets nobody in, and takes no exemption away.
    let tag = json!([{ "Key": "access-key-rotation:secret", "Value": "bots/other" }]);
    aws.assert_denied(
        &caller,
        &[
            json!(["iam", "tag_user", { "UserName": "fresh", "Tags": tag }]),
            json!(["iam", "untag_user", { "UserName": "stale", "TagKeys": ["access-key-rotation:secret"] }]),
            json!(["secretsmanager", "tag_resource", { "SecretId": "bots/other", "Tags": tag }]),
            json!(["iam", "create_user", { "UserName": "new" }]),
            json!(["secretsmanager", "create_secret", { "Name": "new" }]),
            json!(["secretsmanager", "delete_secret", { "SecretId": "bots/deploy" }]),
        ],
    );

    // With the tags, a whole rotation is allowed, of this user and into this secret only.
    let user = json!([{ "Key": "access-key-rotation:secret", "Value": "bots/deploy" }]);
    let secret = json!([{ "Key": "access-key-rotation:user", "Value": "stale" }]);
    let tags = [
        json!(["iam", "tag_user", { "UserName": "stale", "Tags": user }]),
        json!(["secretsmanager", "tag_resource", { "SecretId": "bots/deploy", "Tags": secret }]),
    ];
    assert_eq!(aws.codes(&root(MEMBER), &tags), [None, None]);
    let results = aws.results(&caller, ROTATE, &json!({ "ResourceId": user_id(MEMBER, "stale") })).unwrap();
    let outcomes: Vec<_> =
        results.as_array().unwrap().iter().map(|result| result["Outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["rotated", "settling"]);
    aws.assert_denied(&caller, &calls("fresh", "bots/other"));
    for user in ["stale", "fresh"] {
        assert_eq!(aws.status(user).as_deref(), Some("Active"), "{user}");
    }
}
