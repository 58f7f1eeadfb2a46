//! The runbook that rotates keys into secrets, with the AWS CLI as the consumer that reads the secret and calls AWS with the key.

use crate::{
    aws_cli::{self, administrator, assert_error},
    deployed::{self, ROTATION_ROLE},
    runbooks::*,
    support::*,
};
use chrono::TimeDelta;
use local_aws::{
    Credentials,
    FaultKind::{self, AccessDenied, InTurn, KmsAccessDenied},
    KeyStatus::{Active, Inactive},
    REGION, Secret,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub(crate) const ROTATE: &str = "AccessKeyRotation-RotateKey";
const SECRET: &str = "bots/deploy";
const KEYS_SECRET: &str = "SecretAccessKey";

/// A user whose key, which is due, is in a secret. Both have the tags.
struct Rotation {
    deployment: Deployment,
    /// The key that was in the secret at first.
    old: Credentials,
    /// All that the runs put out, or the text of their errors.
    said: Vec<String>,
    /// The secret access keys so far.
    secrets: BTreeSet<String>,
}

impl Rotation {
    async fn start() -> Rotation {
        let deployment = start().await;
        deployment.member(|account| {
            account.create_user("bot", midnight() - days(1000));
            account.tag_user("bot", "access-key-rotation:secret", SECRET);
            account.create_secret(midnight(), REGION, SECRET);
            let tag = ("access-key-rotation:user".to_owned(), "bot".to_owned());
            account.change_secret(midnight(), REGION, SECRET, |secret| secret.tags.extend([tag])).unwrap();
        });
        // A key that IAM makes works with its own secret only.
        let made = aws_cli::run(&deployment.aws, &administrator(MEMBER), "iam create-access-key --user-name bot").await;
        let made = made.unwrap()["AccessKey"].take();
        let old = credentials(&made);
        let value =
            json!({ "host": "smtp.example.com", "AccessKeyId": old.access_key_id, KEYS_SECRET: old.secret_access_key });
        let now = deployment.aws.world().now();
        deployment.member(|account| account.put_secret_value(now, REGION, SECRET, &value.to_string()).unwrap());
        let rotation = Rotation { deployment, old, said: Vec::new(), secrets: BTreeSet::new() };
        rotation.advance(days(75) + TimeDelta::hours(1));
        rotation.deployment.clear_calls();
        rotation
    }

    fn change_secret(&self, change: impl FnOnce(&mut Secret)) {
        let now = self.deployment.aws.world().now();
        self.deployment.member(|account| account.change_secret(now, REGION, SECRET, change).unwrap());
    }

    fn advance(&self, by: TimeDelta) {
        self.deployment.aws.world().advance(by);
    }

    fn fail(&self, action: &str, kind: FaultKind) {
        self.deployment.fault(Some(action), None, kind);
    }

    async fn run(&mut self, runbook: &str, user: &str, inputs: &[(&str, &str)]) -> Result<Vec<[String; 3]>, String> {
        let output = run(&self.deployment, runbook, user, inputs).await;
        self.said.push(format!("{output:?}"));
        self.secrets.extend(self.deployment.member(|account| {
            let keys = &account.user("bot").unwrap().keys;
            keys.iter().map(|key| key.secret.clone().unwrap()).collect::<Vec<_>>()
        }));
        let fields = |result: &Value| {
            ["AccessKeyId", "Outcome", "Reason"].map(|field| result[field].as_str().unwrap().to_owned())
        };
        Ok(output?["Results"].as_array().unwrap().iter().map(fields).collect())
    }

    /// A run for this user: each key and what came of it, and the last reason.
    async fn rotate(&mut self, user: &str) -> (Vec<[String; 2]>, String) {
        let results = self.run(ROTATE, user, &[]).await.unwrap();
        let reason = results.last().unwrap()[2].clone();
        (results.into_iter().map(|[key, outcome, _]| [key, outcome]).collect(), reason)
    }

    /// What a consumer reads.
    async fn read(&self) -> Credentials {
        let get = format!("secretsmanager get-secret-value --secret-id {SECRET}");
        let answer = aws_cli::run(&self.deployment.aws, &administrator(MEMBER), &get).await.unwrap();
        let value: Value = serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap();
        assert_eq!(value["host"], "smtp.example.com");
        credentials(&value)
    }

    /// A consumer's call of AWS with a key.
    async fn call(&self, key: &Credentials) -> Result<Value, String> {
        aws_cli::run(&self.deployment.aws, key, "sts get-caller-identity").await
    }

    /// A consumer can call AWS with what it reads now.
    async fn consume(&self) -> Credentials {
        let key = self.read().await;
        assert_eq!(self.call(&key).await.unwrap()["Arn"], format!("arn:aws:iam::{MEMBER}:user/bot"));
        key
    }

    fn keys(&self) -> Vec<(String, local_aws::KeyStatus)> {
        self.deployment.member(|account| {
            account.user("bot").unwrap().keys.iter().map(|key| (key.id.clone(), key.status)).collect()
        })
    }

    /// The state in the user's record.
    fn state(&self) -> Option<String> {
        self.deployment.member(|account| {
            let name = format!("/access-key-rotation/users/{}", account.user("bot").unwrap().id);
            let text = account.parameters().get(name.as_str()).map(|&text| text.to_owned())?;
            Some(serde_json::from_str::<Value>(&text).unwrap()["state"].as_str().unwrap().to_owned())
        })
    }

    /// No secret access key is in what the runs said, nor in records, tags, CloudTrail's events and the log of calls.
    fn assert_secrecy(&self) {
        let calls = format!("{:?}", self.deployment.aws.world().calls());
        let held = self.deployment.member(|account| {
            let tags = &account.user("bot").unwrap().tags;
            format!("{:?} {tags:?} {:?}", account.parameters(), account.trail())
        });
        let everything = [&self.said.concat(), &calls, &held].map(String::as_str).concat();
        for secret in &self.secrets {
            assert!(!everything.contains(secret.as_str()), "a secret is where everybody sees it");
        }
        assert!(self.secrets.len() >= 2 && everything.contains(&self.old.access_key_id));
    }
}

fn credentials(fields: &Value) -> Credentials {
    let text = |field: &str| fields[field].as_str().unwrap().to_owned();
    Credentials { access_key_id: text("AccessKeyId"), secret_access_key: text(KEYS_SECRET), session_token: None }
}

fn pairs(results: &[[String; 2]]) -> Vec<[&str; 2]> {
    results.iter().map(|[key, outcome]| [key.as_str(), outcome.as_str()]).collect()
}

#[tokio::test]
async fn from_a_key_that_is_due_to_the_deleted_old_key_and_no_consumer_is_denied() {
    let mut rotation = Rotation::start().await;
    let old = rotation.consume().await;
    assert_eq!(old, rotation.old);

    // Ended just before the switch: the new key is there, and nobody reads it yet.
    rotation.fail("UpdateSecretVersionStage", AccessDenied);
    let error = rotation.run(ROTATE, "bot", &[]).await.unwrap_err();
    assert!(error.contains("secretsmanager:UpdateSecretVersionStage"), "{error}");
    assert_eq!(rotation.consume().await, old);
    assert_eq!(rotation.state().as_deref(), Some("switching"));
    rotation.deployment.aws.world().faults.clear();

    // The next day's run of all users goes on with the same key.
    rotation.advance(days(1));
    let (results, _) = rotation.rotate("ALL").await;
    let new = rotation.consume().await;
    assert_eq!(pairs(&results), [[new.access_key_id.as_str(), "rotated"], [&old.access_key_id, "settling"]]);
    assert_eq!(rotation.keys(), [(old.access_key_id.clone(), Active), (new.access_key_id.clone(), Active)]);
    assert_eq!(rotation.state().as_deref(), Some("switched"));
    let stages = rotation.deployment.member(|account| account.secrets(REGION)[SECRET].stages.clone());
    assert_eq!(stages.keys().collect::<Vec<_>>(), ["AWSCURRENT", "AWSPREVIOUS"]);

    // Who made it, as CloudTrail tells.
    let event = rotation.deployment.member(|account| {
        let ours = |event: &&local_aws::TrailEvent| event.response["accessKey"]["accessKeyId"] == new.access_key_id;
        account.trail().iter().find(ours).unwrap().clone()
    });
    assert_eq!(event.identity["sessionContext"]["sessionIssuer"]["userName"], ROTATION_ROLE);

    // A consumer that read the secret before the switch.
    rotation.advance(days(3));
    rotation.call(&old).await.unwrap();
    rotation.advance(days(5));
    let (results, reason) = rotation.rotate("bot").await;
    assert_eq!(pairs(&results), [[old.access_key_id.as_str(), "settling"]]);
    assert!(reason.contains("by sts"), "{reason}");
    rotation.call(&old).await.unwrap();
    assert_eq!(rotation.consume().await, new);

    rotation.advance(days(8));
    let (results, _) = rotation.rotate("ALL").await;
    assert_eq!(pairs(&results), [[old.access_key_id.as_str(), "deactivated"], [&new.access_key_id, "not due"]]);
    assert_error(rotation.call(&old).await, "InvalidClientTokenId", "GetCallerIdentity");
    assert_eq!(rotation.consume().await, new);
    assert_eq!(
        (recorded(&rotation.deployment, &old.access_key_id).as_deref(), rotation.state()),
        (Some("deactivated"), None)
    );

    let role = format!("arn:aws:iam::111122221111:role/{ROTATION_ROLE}");
    let inputs = [("AutomationAssumeRole", role.as_str()), ("DryRun", "false")];
    rotation.advance(days(29));
    rotation.run(DELETE, "ROTATED", &inputs).await.unwrap();
    assert_eq!(rotation.keys().len(), 2, "the days of grace");
    rotation.advance(days(2));
    let results = rotation.run(DELETE, "ROTATED", &inputs).await.unwrap();
    assert_eq!(results[0][..2], [old.access_key_id.clone(), "deleted".to_owned()]);
    assert_eq!(rotation.keys(), [(new.access_key_id.clone(), Active)]);
    assert_eq!(rotation.consume().await, new);

    assert_eq!(used(&rotation.deployment, ROTATION_ROLE), deployed::actions_of_script(ROTATION_ROLE));
    rotation.assert_secrecy();
}

#[tokio::test]
async fn a_secret_that_may_not_be_written_costs_one_new_key_which_is_taken_back() {
    for by_kms in [false, true] {
        let mut rotation = Rotation::start().await;
        let (old, words) = (rotation.old.clone(), if by_kms { "kms:GenerateDataKey" } else { "resource-based policy" });
        if by_kms {
            rotation.change_secret(|secret| secret.kms_key_id = Some("alias/secrets".to_owned()));
            rotation.fail("PutSecretValue", KmsAccessDenied);
        } else {
            rotation.change_secret(|secret| secret.denied.extend(["PutSecretValue".to_owned()]));
        }
        let (results, reason) = rotation.rotate("ALL").await;
        let new = rotation.keys()[1].0.clone();
        assert_eq!(pairs(&results), [[new.as_str(), "deactivated"], [&new, "blocked"]]);
        assert!(reason.contains(words), "{reason}");
        assert_eq!(rotation.keys(), [(old.access_key_id.clone(), Active), (new.clone(), Inactive)]);
        assert_eq!(rotation.state().as_deref(), Some("blocked"));
        assert_eq!(rotation.consume().await, old);

        for (number, expected) in
            [vec![[new.as_str(), "deleted"], [&old.access_key_id, "blocked"]], vec![[&old.access_key_id, "blocked"]]]
                .iter()
                .enumerate()
        {
            rotation.advance(days(1));
            let (results, reason) = rotation.rotate("ALL").await;
            assert_eq!(pairs(&results), *expected, "day {number}");
            assert!(reason.contains(words) && reason.contains("Next attempt: on "), "{reason}");
            assert_eq!(rotation.keys(), [(old.access_key_id.clone(), Active)]);
        }
        assert_eq!(rotation.deployment.calls_of("CreateAccessKey"), 1, "no new key each day");

        // Put right, and started by hand.
        rotation.deployment.aws.world().faults.clear();
        rotation.change_secret(|secret| secret.denied.clear());
        let (results, _) = rotation.rotate("bot").await;
        assert_eq!(results[0][1], "rotated");
        assert_ne!(rotation.consume().await, old);
        rotation.call(&old).await.unwrap();
        rotation.assert_secrecy();
    }
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_costs_no_new_key() {
    let mut rotation = Rotation::start().await;
    rotation.change_secret(|secret| secret.kms_key_id = Some("alias/secrets".to_owned()));
    rotation.fail("GetSecretValue", KmsAccessDenied);
    let (results, reason) = rotation.rotate("bot").await;
    assert_eq!(pairs(&results), [["-", "blocked"]]);
    assert!(reason.contains("the key policy of alias/secrets must allow kms:Decrypt"), "{reason}");
    rotation.deployment.aws.world().faults.clear();
    rotation.change_secret(|secret| secret.denied.extend(["GetSecretValue".to_owned()]));
    let (_, reason) = rotation.rotate("bot").await;
    assert!(reason.contains("resource-based policy"), "{reason}");
    assert_eq!((writes(&rotation.deployment), rotation.keys().len()), (vec!["DescribeSecret".to_owned(); 2], 1));
}

#[tokio::test]
async fn a_new_key_that_does_not_work_yet_is_not_handed_out() {
    let mut rotation = Rotation::start().await;
    let old = rotation.old.clone();
    rotation.deployment.member(|account| account.set_key_delay(TimeDelta::hours(3)));
    let error = rotation.run(ROTATE, "bot", &[]).await.unwrap_err();
    assert!(error.contains("does not work: ") && error.contains("InvalidClientTokenId"), "{error}");
    assert_eq!(rotation.consume().await, old);
    let new = rotation.keys()[1].clone();

    // For an hour, the run that ended could still be at work. Then the same key works at the fourth attempt.
    let (results, reason) = rotation.rotate("bot").await;
    assert!(results[0][1] == "waiting" && reason.ends_with("Next: in an hour"), "{reason}");
    rotation.advance(TimeDelta::hours(4));
    rotation.deployment.clear_calls();
    rotation.fail("GetCallerIdentity", InTurn(vec![AccessDenied; 3]));
    let (results, _) = rotation.rotate("bot").await;
    assert_eq!(results[0], [new.0.as_str(), "rotated"]);
    assert_eq!(rotation.deployment.calls_of("GetCallerIdentity"), 4);
    assert_eq!(rotation.consume().await.access_key_id, new.0);
    rotation.call(&old).await.unwrap();
    rotation.assert_secrecy();
}
