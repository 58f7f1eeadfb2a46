//! The runbooks' scripts on a local AWS, with real clients. Deletion is in `runbooks_deleting.rs`, rotation
//! into a secret in `runbooks_rotating.rs`, what goes wrong in `runbooks_failing.rs`.

use crate::{
    deployed::{self, document},
    python,
    support::*,
};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use local_aws::{
    Account,
    ComplianceType::{self, *},
    FaultKind::*,
    KeyStatus::{self, *},
    REGION, World,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const DEACTIVATE: &str = "AccessKeyRotation-DeactivateStaleKeys";
pub(crate) const REACTIVATE: &str = "AccessKeyRotation-ReactivateKey";
pub(crate) const DELETE: &str = "AccessKeyRotation-DeleteDeactivatedKeys";
pub(crate) const FOR_REAL: &[(&str, &str)] = &[("DryRun", "false")];

pub(crate) use policy::exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_UNTIL};

/// A deployment by the system's clock, which the runbooks go by.
pub(crate) async fn start() -> Deployment {
    Deployment::serve_in(World::live_clock()).await
}

/// A key that was deactivated so many days ago, as its record tells.
pub(crate) fn deactivated(account: &mut Account, user: &str, ago: i64) -> String {
    let key = user_with_key(account, user, 400);
    let since = Utc::now() - days(ago);
    account.set_key_status_by("access-key-rotation-remediation", since, user, &key, Inactive);
    let id = account.user(user).unwrap().id.clone();
    account.set_parameter_at(since, &record(&key), &record_of(&id, since));
    key
}

/// The name of the parameter that tells what became of a key.
pub(crate) fn record(key: &str) -> String {
    format!("/access-key-rotation/keys/{key}")
}

/// The record of a key that was deactivated.
pub(crate) fn record_of(user_id: &str, since: DateTime<Utc>) -> String {
    let since = since.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({ "state": "deactivated", "since": since, "execution": null, "userId": user_id }).to_string()
}

/// Runs a runbook's script on a user, by name, or on what is passed on as it is. Gives what it puts out, or its traceback.
pub(crate) async fn run(
    deployment: &Deployment,
    runbook: &str,
    user: &str,
    inputs: &[(&str, &str)],
) -> Result<Value, String> {
    let given = inputs.iter().find(|(name, _)| *name == "AutomationAssumeRole");
    let role = given.map_or_else(|| role(runbook), |(_, arn)| arn.rsplit_once('/').unwrap().1);
    let id = deployment.member(|account| account.user(user).map(|user| user.id.clone()));
    let mut parameters = json!({ "ResourceId": id.as_deref().unwrap_or(user) });
    for (name, value) in inputs {
        parameters[name] = (*value).into();
    }
    let credentials = deployment.aws.world().credentials(MEMBER, role);
    let environment = [
        // Whoever runs the tests may have settings of their own at home.
        ("HOME", "/nonexistent"),
        ("AWS_ENDPOINT_URL", &deployment.aws.endpoint()),
        ("AWS_ACCESS_KEY_ID", &credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key),
        ("AWS_SESSION_TOKEN", credentials.session_token.as_deref().unwrap()),
        ("AWS_DEFAULT_REGION", REGION),
    ];
    let (parameters, document) = (parameters.to_string(), document(runbook).to_string());
    // The two clocks are read one after the other.
    let ahead = (deployment.aws.world().now() - Utc::now() + TimeDelta::milliseconds(500)).num_seconds().to_string();
    let printed = python::run("tests/rollout/runbook.py", &[&parameters, &ahead], &environment, &document).await;

    let excess: Vec<_> = used(deployment, role).difference(&deployed::actions(role)).cloned().collect();
    assert!(excess.is_empty(), "{role} may not {excess:?}");
    Ok(serde_json::from_str(&printed?).unwrap())
}

/// The role that a runbook names by default.
fn role(runbook: &str) -> &'static str {
    let arn = document(runbook)["parameters"]["AutomationAssumeRole"]["default"].as_str().unwrap();
    arn.rsplit_once('/').unwrap().1
}

/// The actions that were called with a role.
pub(crate) fn used(deployment: &Deployment, role: &str) -> BTreeSet<String> {
    let principal = format!("arn:aws:sts::{MEMBER}:assumed-role/{role}/local");
    let world = deployment.aws.world();
    let calls = world.calls().iter().filter(|call| call.principal == principal);
    calls.map(|call| format!("{}:{}", call.service, call.action)).collect()
}

/// The actions that were called, in order.
fn sequence(deployment: &Deployment) -> Vec<String> {
    deployment.aws.world().calls().iter().map(|call| call.action.clone()).collect()
}

/// Those that change something.
pub(crate) fn writes(deployment: &Deployment) -> Vec<String> {
    let is_read = |action: &String| {
        ["Get", "List", "LookupEvents", "GenerateCredentialReport"].iter().any(|read| action.starts_with(read))
    };
    sequence(deployment).into_iter().filter(|action| !is_read(action)).collect()
}

/// Everything that IAM holds of each user, and then the records.
pub(crate) fn state(deployment: &Deployment) -> Vec<String> {
    deployment.member(|account| state_of(account))
}

pub(crate) fn state_of(account: &Account) -> Vec<String> {
    let users = account.users().map(|user| format!("{user:?}"));
    users.chain(account.parameters().into_iter().map(|record| format!("{record:?}"))).collect()
}

/// The status of a key; `None`: it is gone.
pub(crate) fn status(deployment: &Deployment, user: &str, key: &str) -> Option<KeyStatus> {
    deployment.member(|account| Some(account.user(user)?.keys.iter().find(|other| other.id == key)?.status))
}

/// The state that a key's record tells, or the text that is no record.
pub(crate) fn recorded(deployment: &Deployment, key: &str) -> Option<String> {
    let text = deployment.member(|account| account.parameters().get(record(key).as_str()).map(|&text| text.to_owned()));
    text.map(|text| match serde_json::from_str::<Value>(&text) {
        Ok(record) => record["state"].as_str().unwrap().to_owned(),
        Err(_) => text,
    })
}

/// Whether a key is inactive, and recorded as deactivated at a time after `start`.
pub(crate) fn is_deactivated(deployment: &Deployment, user: &str, key: &str, start: DateTime<Utc>) -> bool {
    let text = deployment.member(|account| account.parameters().get(record(key).as_str()).map(|&text| text.to_owned()));
    let record: Value = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let since = record["since"].as_str().and_then(|since| DateTime::parse_from_rfc3339(since).ok());
    let is_new = |since: DateTime<_>| (start.trunc_subsecs(0)..=Utc::now()).contains(&since.to_utc());
    status(deployment, user, key) == Some(Inactive) && record["state"] == "deactivated" && since.is_some_and(is_new)
}

/// What a run says that it did with each key.
pub(crate) fn outcomes(output: &Value) -> BTreeMap<&str, &str> {
    let results = output["Results"].as_array().unwrap().iter();
    results.map(|result| (result["AccessKeyId"].as_str().unwrap(), result["Outcome"].as_str().unwrap())).collect()
}

/// A user, the age and last use of each key in days, tags, the runbook's parameters, the keys afterwards, and what the
/// rule says before and after.
type Deactivation<'a> = (
    &'a str,
    &'a [(i64, Option<i64>)],
    &'a [(&'a str, &'a str)],
    &'a [(&'a str, &'a str)],
    &'a [KeyStatus],
    [ComplianceType; 2],
);

#[tokio::test]
async fn stale_keys_are_deactivated_and_the_rule_agrees() {
    let [soon, past] = [10, -1].map(day);
    let exempt = [(EXEMPT_UNTIL, soon.as_str()), (EXEMPT_OWNER, "payments")];
    let expired = [(EXEMPT_UNTIL, past.as_str()), exempt[1]];
    let of_the_first_key = [exempt[0], exempt[1], (EXEMPT_KEY, "FIRST")];
    let solved = [NonCompliant, Compliant];
    let cases: &[Deactivation<'_>] = &[
        ("never-used", &[(91, None)], &[], &[], &[Inactive], solved),
        ("and-a-young-key", &[(400, None), (89, None)], &[], &[], &[Inactive, Active], solved),
        ("two-stale-keys", &[(91, None), (400, None)], &[], &[], &[Inactive, Inactive], solved),
        ("quiet", &[(91, Some(46))], &[], &[], &[Inactive], solved),
        ("in-use", &[(91, Some(44))], &[], &[], &[Active], [NonCompliant; 2]),
        ("one-in-use", &[(91, Some(44)), (91, Some(46))], &[], &[], &[Active, Inactive], [NonCompliant; 2]),
        ("in-use-all-the-same", &[(91, Some(0))], &[], &[("QuietDays", "0")], &[Inactive], solved),
        ("another-limit", &[(31, None), (29, None)], &[], &[("MaxAccessKeyAge", "30")], &[Inactive, Active], solved),
        ("young", &[(89, None)], &[], &[], &[Active], [Compliant; 2]),
        ("exempt", &[(91, None)], &exempt, &[], &[Active], [Compliant; 2]),
        ("exemption-expired", &[(91, None)], &expired, &[], &[Inactive], solved),
        ("exemption-of-nobody", &[(91, None)], &exempt[..1], &[], &[Inactive], solved),
        ("exempt-too-long", &[(91, None)], &exempt, &[("MaxExemptionDays", "5")], &[Inactive], solved),
        ("one-exempt", &[(91, None), (400, None)], &of_the_first_key, &[], &[Active, Inactive], solved),
    ];
    let deployment = start().await;
    for (user, keys, tags, inputs, after, verdicts) in cases {
        let keys: Vec<_> = deployment.member(|account| {
            let keys = keys.iter().map(|(age, used)| {
                let key = user_with_key(account, user, *age);
                used.map(|used| account.use_key(&key, Utc::now() - days(used), REGION, "s3"));
                key
            });
            let keys: Vec<_> = keys.collect();
            for (name, value) in *tags {
                account.tag_user(user, name, &value.replace("FIRST", &keys[0]));
            }
            keys
        });
        let parameters: Vec<_> = inputs.iter().filter(|(name, _)| *name != "QuietDays").copied().collect();
        deployment.sweep(&parameters).await;
        assert_eq!(deployment.result(user).0, verdicts[0], "{user}, before");
        let start = Utc::now();
        let output = run(&deployment, DEACTIVATE, user, inputs).await.unwrap();
        for (key, after) in keys.iter().zip(*after) {
            assert_eq!(status(&deployment, user, key), Some(*after), "{user}");
            assert_eq!(is_deactivated(&deployment, user, key, start), *after == Inactive, "{user}");
            let outcome = if *after == Inactive { "deactivated" } else { "left as it is" };
            assert_eq!(outcomes(&output)[key.as_str()], outcome, "{user}");
        }
        deployment.sweep(&parameters).await;
        assert_eq!(deployment.result(user).0, verdicts[1], "{user}, after");
    }
}

#[tokio::test]
async fn a_deactivation_changes_nothing_for_a_trial_nor_a_second_time_nor_what_an_earlier_one_did_not_finish() {
    let deployment = start().await;
    let (stale, off, unfinished, tagged) = deployment.member(|account| {
        account.create_user("bot", Utc::now());
        account.tag_user("bot", "team", "payments");
        let [stale, off, unfinished] = ["bot", "bot", "unfinished"].map(|user| user_with_key(account, user, 400));
        account.set_key_status("bot", &off, Inactive);
        account.set_key_status("unfinished", &unfinished, Inactive);
        account.set_parameter(&record(&unfinished), "pending");
        let tagged = user_with_key(account, "tagged", 400);
        for n in 0..50 {
            account.tag_user("tagged", &format!("tag-{n}"), "");
        }
        (stale, off, unfinished, tagged)
    });
    let before = state(&deployment);
    let trial = run(&deployment, DEACTIVATE, "bot", &[("DryRun", "true")]).await.unwrap();
    assert_eq!(outcomes(&trial)[stale.as_str()], "dry run: deactivated");
    assert_eq!(trial["Summary"], "Access keys: 1 to be changed, 1 left as they are.");
    assert_eq!(outcomes(&trial)[off.as_str()], "left as it is");
    assert_eq!(state(&deployment), before);
    assert!(writes(&deployment).is_empty());

    let start = Utc::now();
    let full = run(&deployment, DEACTIVATE, "tagged", &[]).await.unwrap();
    let (summary, said) =
        (full["Summary"].as_str().unwrap(), "AWS Config evaluates these only at its next schedule: tagged: ");
    assert!(summary.contains(said) && summary.contains("TagsPerUser: 50"), "{summary}");
    assert!(is_deactivated(&deployment, "tagged", &tagged, start), "no room for a tag costs nothing else");
    run(&deployment, DEACTIVATE, "bot", &[]).await.unwrap();
    assert!(is_deactivated(&deployment, "bot", &stale, start));
    let output = run(&deployment, DEACTIVATE, "unfinished", &[]).await.unwrap();
    assert_eq!(outcomes(&output)[unfinished.as_str()], "left for you to decide");
    assert_eq!(output["Summary"], "Access keys: 0 changed, 1 left for you to decide, 0 left as they are.");
    assert_eq!(recorded(&deployment, &unfinished).as_deref(), Some("pending"));
    assert_eq!((status(&deployment, "bot", &off), recorded(&deployment, &off)), (Some(Inactive), None));
    let tags = deployment.member(|account| account.user("bot").unwrap().tags.clone());
    assert_eq!((tags.len(), tags["team"].as_str()), (2, "payments"));

    let (after, _) = (state(&deployment), deployment.clear_calls());
    for user in ["bot", "unfinished"] {
        run(&deployment, DEACTIVATE, user, &[]).await.unwrap();
    }
    assert_eq!(state(&deployment), after);
    assert!(writes(&deployment).is_empty());
}

#[tokio::test]
async fn a_user_is_found_by_id_alone_on_whatever_page() {
    let deployment = start().await;
    let [last, renamed] = deployment.member(|account| {
        populate(account, Utc::now(), 2500, 1, 50);
        ["zoe", "anna"].map(|user| user_with_key(account, user, 400))
    });
    let before = state(&deployment);
    run(&deployment, DEACTIVATE, "zoe", &[]).await.unwrap();
    assert_eq!(deployment.calls_of("ListUsers"), 3);
    deployment.member(|account| account.rename_user("anna", "zora"));
    deployment.fault(None, None, ShortPages(100));
    run(&deployment, DEACTIVATE, "zora", &[]).await.unwrap();
    assert!(deployment.calls_of("ListUsers") > 3 + 26, "pages with nobody on them");
    assert_eq!([status(&deployment, "zoe", &last), status(&deployment, "zora", &renamed)], [Some(Inactive); 2]);
    assert_eq!(state(&deployment)[..2500], before[1..2501], "nobody else is touched");

    let id = deployment.member(|account| account.user("zoe").unwrap().id.clone());
    let again = deployment.member(|account| {
        account.delete_user("zoe");
        user_with_key(account, "zoe", 400)
    });
    deployment.clear_calls();
    let error = run(&deployment, DEACTIVATE, &id, &[]).await.unwrap_err();
    assert!(error.contains(&format!("No IAM user of this account has the id {id}.")), "{error}");
    assert_eq!(status(&deployment, "zoe", &again), Some(Active), "the same name, but another user");
    assert!(writes(&deployment).is_empty());
}

#[tokio::test]
async fn a_key_is_reactivated_if_it_was_deactivated_here() {
    let deployment = start().await;
    let (mine, unrecorded, active, again, pending) = deployment.member(|account| {
        let mine = deactivated(account, "bot", 3);
        account.tag_user("bot", "team", "payments");
        let unrecorded = deactivated(account, "bot", 3);
        account.remove_parameter(&record(&unrecorded));
        let active = user_with_key(account, "active", 400);
        let again = deactivated(account, "active", 3);
        account.set_key_status("active", &again, Active);
        let pending = deactivated(account, "pending", 3);
        account.set_parameter(&record(&pending), "pending");
        (mine, unrecorded, active, again, pending)
    });
    let before = state(&deployment);
    for (user, key, error) in [
        ("bot", &unrecorded, "is inactive, and not by these runbooks"),
        ("bot", &active, "The user has no access key"),
        ("active", &mine, "The user has no access key"),
    ] {
        let refused = run(&deployment, REACTIVATE, user, &[("AccessKeyId", key)]).await.unwrap_err();
        assert!(refused.contains(error) && refused.contains(key), "{refused}");
    }
    let trial = [("AccessKeyId", mine.as_str()), ("DryRun", "true")];
    let trial = run(&deployment, REACTIVATE, "bot", &trial).await.unwrap();
    assert_eq!(outcomes(&trial)[mine.as_str()], "dry run: reactivated");
    assert_eq!(state(&deployment), before);
    assert!(writes(&deployment).is_empty());

    for (user, key, outcome, record) in [
        ("bot", &mine, "reactivated", Some("reactivated")),
        ("bot", &mine, "left as it is", Some("reactivated")),
        ("active", &active, "left as it is", None),
        ("active", &again, "left as it is", Some("reactivated")),
        ("pending", &pending, "reactivated", Some("reactivated")),
    ] {
        let output = run(&deployment, REACTIVATE, user, &[("AccessKeyId", key)]).await.unwrap();
        assert_eq!(outcomes(&output)[key.as_str()], outcome, "{user}");
        assert_eq!(status(&deployment, user, key), Some(Active), "{user}");
        assert_eq!(recorded(&deployment, key).as_deref(), record, "{user}");
    }
    let tags = deployment.member(|account| account.user("bot").unwrap().tags.clone());
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["access-key-rotation:last-change", "team"]);
    assert_eq!(status(&deployment, "bot", &unrecorded), Some(Inactive));
}

#[tokio::test]
async fn a_finding_follows_a_runbook_without_a_schedule() {
    let deployment = start().await;
    let stale = deployment.member(|account| user_with_key(account, "bot", 91));
    let tags = || deployment.member(|account| account.user("bot").unwrap().tags.clone());
    deployment.change("bot").await;
    assert_eq!(deployment.result("bot").0, NonCompliant);
    for (runbook, inputs, verdict) in
        [(DEACTIVATE, &[][..], Compliant), (REACTIVATE, &[("AccessKeyId", stale.as_str())], NonCompliant)]
    {
        let before = tags();
        run(&deployment, runbook, "bot", inputs).await.unwrap();
        // AWS Config sends a change to the rule if the user's item differs from the last one, as with other tags.
        assert_ne!(tags(), before, "{runbook}");
        deployment.change("bot").await;
        assert_eq!(deployment.result("bot").0, verdict, "{runbook}");
    }
}

#[tokio::test]
async fn the_way_out_and_back_and_the_permissions_for_it() {
    let deployment = start().await;
    let (stale, refused, due, waiting) = deployment.member(|account| {
        let [stale, refused] = ["bot", "refused"].map(|user| user_with_key(account, user, 91));
        let [due, waiting] = [("due", 31), ("waiting", 20)].map(|(user, ago)| deactivated(account, user, ago));
        (stale, refused, due, waiting)
    });
    let verdict = async || {
        deployment.sweep(&[]).await;
        deployment.result("bot").0
    };
    let mut verdicts = vec![verdict().await];
    deployment.clear_calls();
    let start = Utc::now();
    // As a click on "Remediate" starts it.
    let (runbook, given) = deployed::remediation();
    let given = given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>();
    assert_eq!((runbook.as_str(), given.len()), (DEACTIVATE, 4));
    run(&deployment, &runbook, "bot", &given).await.unwrap();
    assert!(is_deactivated(&deployment, "bot", &stale, start));
    let reads = ["ListUsers", "GetUser", "ListAccessKeys", "GetParameter", "GetAccessKeyLastUsed"];
    // The record comes before the deed, a look just before it, and the record's time after it has been seen to work.
    let deed = ["PutParameter", "ListAccessKeys", "UpdateAccessKey", "ListAccessKeys", "GetParameter", "PutParameter"];
    assert_eq!(sequence(&deployment), [&reads[..], &deed, &["TagUser"]].concat());
    verdicts.push(verdict().await);
    run(&deployment, REACTIVATE, "bot", &[("AccessKeyId", &stale)]).await.unwrap();
    let undone = (status(&deployment, "bot", &stale), recorded(&deployment, &stale));
    assert_eq!(undone, (Some(Active), Some("reactivated".to_owned())));
    verdicts.push(verdict().await);
    assert_eq!(verdicts, [NonCompliant, Compliant, NonCompliant]);

    let before = sequence(&deployment).len();
    run(&deployment, DELETE, "due", FOR_REAL).await.unwrap();
    // Decided once more before it is deleted, and looked at before and after.
    let of_all =
        ["ListUsers", "GetParametersByPath", "LookupEvents", "GenerateCredentialReport", "GetCredentialReport"];
    let decision = [&reads[1..], &["GetParameterHistory"]].concat();
    let deed = ["ListAccessKeys", "DeleteAccessKey", "ListAccessKeys", "DeleteParameter"];
    let mut calls = sequence(&deployment).split_off(before);
    // The report takes IAM a while.
    calls.dedup();
    assert_eq!(calls, [&of_all[..], &decision, &decision, &deed].concat());
    assert_eq!(status(&deployment, "due", &due), None);

    // What else the roles are for: a record goes if IAM refuses the deed, and what CloudTrail proved is written down.
    deployment.fault(Some("UpdateAccessKey"), None, AccessDenied);
    run(&deployment, DEACTIVATE, "refused", &[]).await.unwrap_err();
    assert_eq!((status(&deployment, "refused", &refused), recorded(&deployment, &refused)), (Some(Active), None));
    run(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap();
    let proven = deployment.member(|account| account.parameters()[record(&waiting).as_str()].contains("provenUntil"));
    assert!(proven);
    for role in [DEACTIVATE, DELETE].map(role) {
        assert_eq!(used(&deployment, role), deployed::actions_of_script(role), "{role}");
    }
}
