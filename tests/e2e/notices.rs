//! Notices on the event bus: who is notified of what, and once.

use crate::{python, support::*};
use access_key_rotation::{aws::event_bus::EventBus, notices::NoticeSettings};
use chrono::TimeDelta;
use deployment::client_settings;
use local_aws::{FaultKind, REGION, events};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const BUS: &str = "access-key-rotation";

/// A deployment whose notices go to a bus.
pub(crate) async fn with_bus() -> Deployment {
    let mut deployment = Deployment::start().await;
    let credentials = {
        let mut world = deployment.aws.world();
        world.account(HUB).add_event_bus(BUS);
        world.credentials(HUB, FUNCTION_ROLE)
    };
    let settings = client_settings(&deployment.aws, credentials).await;
    let bus = EventBus::new(&settings, BUS.to_owned());
    deployment.rule.notices = Some(NoticeSettings { bus, owner_tag: "team".to_owned() });
    deployment
}

impl Deployment {
    pub(crate) fn notices(&self) -> Vec<Value> {
        self.aws.world().account(HUB).events(BUS).to_vec()
    }

    /// Detail type and milestone of each notice.
    pub(crate) fn milestones(&self) -> Vec<(String, i64)> {
        let milestone = |event: Value| {
            (event["detail-type"].as_str().unwrap().to_owned(), event["detail"]["milestone"].as_i64().unwrap())
        };
        self.notices().into_iter().map(milestone).collect()
    }

    pub(crate) fn user_with_key_of(&self, name: &str, age: TimeDelta) -> String {
        self.member(|account| {
            account.create_user(name, today() - days(400));
            account.create_key(name, today() - age).unwrap()
        })
    }
}

pub(crate) fn milestones(notices: &[(&str, i64)]) -> Vec<(String, i64)> {
    notices.iter().map(|(kind, milestone)| (format!("Access Key {kind}"), *milestone)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_milestone_is_notified_once_however_often_the_account_is_swept() {
    let deployment = with_bus().await;
    deployment.user_with_key_of("bot", days(74));
    for _ in 0..18 * 4 {
        deployment.sweep(&[]).await;
        deployment.aws.world().advance(TimeDelta::hours(6));
    }
    let soon = [14, 7, 3, 1, 0].map(|days| ("Due Soon", days));
    let overdue = [0, 1, 2].map(|days| ("Overdue", days));
    assert_eq!(deployment.milestones()[..8], milestones(&[&soon[..], &overdue].concat()));
    let mut ids: Vec<_> = deployment.notices().into_iter().map(|event| event["detail"]["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), deployment.notices().len(), "each has an id of its own");
}

/// The event comes on one day, and AWS Config records the results on the next.
#[tokio::test(start_paused = true)]
async fn a_sweep_just_before_midnight_notifies_of_each_milestone_too() {
    let deployment = with_bus().await;
    deployment.user_with_key_of("bot", days(74));
    deployment.aws.world().advance(TimeDelta::seconds(12 * 3600 - 3));
    for _ in 0..18 {
        deployment.aws.world().after_calls_of("PutEvaluations", 0, |world| world.advance(TimeDelta::seconds(10)));
        deployment.sweep(&[]).await;
        deployment.aws.world().forget_acts();
        let next = deployment.aws.world().now().date_naive().and_hms_opt(23, 59, 57).unwrap().and_utc();
        let until = next - deployment.aws.world().now();
        deployment.aws.world().advance(until);
    }
    // At that hour of its day, the key is overdue already.
    let soon = [14, 7, 3, 1].map(|days| ("Due Soon", days));
    let overdue = [0, 1].map(|days| ("Overdue", days));
    assert_eq!(deployment.milestones(), milestones(&[&soon[..], &overdue].concat()));
}

/// The runbooks tell the same: see tests/rollout/test_run_notices.py.
#[tokio::test(start_paused = true)]
async fn the_texts_of_tags_are_told_as_the_runbooks_tell_them() {
    let shared: Value = serde_json::from_str(include_str!("../decisions.json")).unwrap();
    for case in shared["texts"].as_array().unwrap() {
        let deployment = with_bus().await;
        let key = deployment.user_with_key_of("bot", days(92));
        deployment.member(|account| {
            for (tag, value) in case["tags"].as_object().unwrap() {
                account.tag_user("bot", if tag == "KEY" { &key } else { tag }, value.as_str().unwrap());
            }
        });
        deployment.sweep(&[]).await;
        let [event] = &deployment.notices()[..] else { panic!("{:?}", deployment.notices()) };
        for field in ["owner", "description"] {
            assert_eq!(event["detail"][field], case[field], "{}: {field}", case["name"]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_says_whose_key_it_is_and_what_to_do() {
    let deployment = with_bus().await;
    let key = deployment.user_with_key_of("bot", days(92));
    let id = deployment.member(|account| {
        account.use_key(&key, today() - days(2), "us-east-1", "s3");
        account.tag_user("bot", &key, "CI of the \"shop\"");
        account.tag_user("bot", "team", "the \"A\\B\" team\n\u{e9}");
        account.tag_user("bot", "access-key-rotation:exempt-until", "2026-02-01");
        account.tag_user("bot", "access-key-rotation:exempt-owner", "a \"quoted\" owner");
        account.user("bot").unwrap().id.clone()
    });
    deployment.sweep(&[]).await;
    let [event] = &deployment.notices()[..] else { panic!("{:?}", deployment.notices()) };
    let header = ["detail-type", "source", "account", "region", "resources"].map(|field| event[field].clone());
    let arn = format!("arn:aws:iam::{MEMBER}:user/bot");
    assert_eq!(
        header,
        [json!("Access Key Overdue"), json!("access-key-rotation"), json!(HUB), json!(REGION), json!([arn])]
    );
    let expected = json!({
        "id": format!("{MEMBER}/{key}/overdue/2026-03-01"),
        "account": MEMBER,
        "userName": "bot",
        "userId": id,
        "owner": "the 'A/B' team \u{e9}",
        "accessKeyId": key,
        "description": "CI of the 'shop'",
        "created": "2025-11-29T12:00:00Z",
        "due": "2026-02-27",
        "compliance": "NON_COMPLIANT",
        "exposed": false,
        "lastUsed": { "date": "2026-02-27T12:00:00Z", "service": "s3", "region": "us-east-1" },
        "exemption": { "state": "void", "until": null, "owner": null, "reason": null },
        "milestone": 2,
        "daysOverdue": 2,
        "message": format!(
            "Access key {key} of user bot in account {MEMBER} was due on 2026-02-27, 2 days ago: rotate it. Exemption expired on \
             2026-02-01 (owner: a 'quoted' owner)."
        ),
    });
    assert_eq!(event["detail"], expected);
}

#[tokio::test(start_paused = true)]
async fn keys_that_fall_due_and_exemptions_that_end_are_notified_with_their_owner() {
    let deployment = with_bus().await;
    deployment.user_with_key_of("soon", days(80));
    deployment.user_with_key_of("exempt", days(100));
    deployment.user_with_key_of("young", days(10));
    deployment.member(|account| {
        account.tag_user("soon", "team", "payments");
        account.tag_user("exempt", "access-key-rotation:exempt-until", "2026-03-06");
        account.tag_user("exempt", "access-key-rotation:exempt-owner", "billing");
    });
    deployment.sweep(&[]).await;
    deployment.sweep(&[]).await;
    let mut notices = deployment.notices();
    notices.sort_by_key(|event| event["detail-type"].to_string());
    let [soon, ending] = &notices[..] else { panic!("{notices:?}") };
    let field = |event: &Value, name: &str| event["detail"][name].clone();
    let of_soon = ["owner", "due", "daysLeft", "milestone", "compliance"].map(|name| field(soon, name));
    assert_eq!(of_soon, [json!("payments"), json!("2026-03-11"), json!(10), json!(14), json!("COMPLIANT")]);
    assert_eq!(field(soon, "lastUsed"), json!({ "date": null }));
    let of_ending = ["owner", "daysLeft", "milestone", "compliance"].map(|name| field(ending, name));
    assert_eq!(of_ending, [Value::Null, json!(5), json!(7), json!("COMPLIANT")]);
    assert_eq!(
        field(ending, "exemption"),
        json!({ "state": "valid", "until": "2026-03-06", "owner": "billing", "reason": null })
    );
    let soon_key = soon["detail"]["accessKeyId"].as_str().unwrap();
    let expected =
        format!("Access key {soon_key} of user soon in account {MEMBER} is due on 2026-03-11, in 10 days: rotate it.");
    assert_eq!(field(soon, "message"), expected);
    let ending_key = ending["detail"]["accessKeyId"].as_str().unwrap();
    let expected = format!(
        "The exemption of access key {ending_key} of user exempt in account {MEMBER} ends on 2026-03-06, in 5 days: rotate the key."
    );
    assert_eq!(field(ending, "message"), expected);
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_sent_though_the_owner_cannot_be_read() {
    let deployment = with_bus().await;
    let keys = [("soon", days(90) - TimeDelta::hours(2)), ("late", days(92))]
        .map(|(name, age)| deployment.user_with_key_of(name, age));
    deployment.member(|account| account.tag_user("soon", "team", "payments"));
    deployment.fault(Some("GetUser"), Some("soon"), FaultKind::AccessDenied);
    deployment.sweep(&[]).await;
    let mut notices = deployment.notices();
    notices.sort_by_key(|event| event["detail-type"].to_string());
    let said = notices.iter().map(|event| ["owner", "message"].map(|field| event["detail"][field].clone()));
    let expected = [
        format!("Access key {} of user soon in account {MEMBER} is due on 2026-03-01, today: rotate it.", keys[0]),
        format!(
            "Access key {} of user late in account {MEMBER} was due on 2026-02-27, 2 days ago: rotate it.",
            keys[1]
        ),
    ];
    assert_eq!(said.collect::<Vec<_>>(), expected.map(|message| [Value::Null, json!(message)]));
}

#[tokio::test(start_paused = true)]
async fn a_notice_names_the_owner_of_the_key_though_its_name_passes_on_meanwhile() {
    for passes_on in [false, true] {
        for action in ["ListAccessKeys", "GetUser", "GetAccessKeyLastUsed"] {
            let deployment = with_bus().await;
            let key = deployment.user_with_key_of("soon", days(80));
            deployment.member(|account| {
                account.create_user("other", today() - days(400));
                account.tag_user("soon", "team", "payments");
                account.tag_user("other", "team", "billing");
            });
            deployment.aws.world().after_calls_of(action, 0, move |world| {
                let account = world.account(MEMBER);
                account.rename_user("soon", "renamed");
                if passes_on {
                    account.rename_user("other", "soon");
                }
            });
            deployment.sweep(&[]).await;
            let [notice] = &deployment.notices()[..] else { panic!("{:?}", deployment.notices()) };
            let said = ["accessKeyId", "userName", "owner"].map(|field| notice["detail"][field].clone());
            // The last use is read when it is known whose key it is.
            let name = if action == "GetAccessKeyLastUsed" { "soon" } else { "renamed" };
            assert_eq!(said, [json!(key), json!(name), json!("payments")], "{action}, {passes_on}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_with_an_old_name_sends_the_new_one() {
    for (age, kind) in [(80, "Access Key Due Soon"), (95, "Access Key Overdue")] {
        let deployment = with_bus().await;
        deployment.user_with_key_of("bot", days(age));
        deployment.member(|account| account.tag_user("bot", "team", "payments"));
        let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "bot", &[]).unwrap();
        deployment.member(|account| account.rename_user("bot", "renamed"));
        deployment.send(&event).await.0.unwrap();
        let [notice] = &deployment.notices()[..] else { panic!("{:?}", deployment.notices()) };
        assert_eq!(notice["detail-type"], kind);
        assert_eq!(notice["resources"], json!([format!("arn:aws:iam::{MEMBER}:user/renamed")]));
        let said = ["userName", "owner"].map(|field| notice["detail"][field].clone());
        assert_eq!(said, [json!("renamed"), json!("payments")]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_due_soon_with_a_valid_exemption_is_notified_with_it() {
    let deployment = with_bus().await;
    let key = deployment.user_with_key_of("exempt", days(80));
    let other = deployment.member(|account| account.create_key("exempt", today() - days(79)).unwrap());
    let short = deployment.user_with_key_of("short", days(80));
    deployment.member(|account| {
        for (user, until) in [("exempt", "2026-06-10"), ("short", "2026-03-10")] {
            account.tag_user(user, "access-key-rotation:exempt-until", until);
            account.tag_user(user, "access-key-rotation:exempt-owner", "J\u{fc}rgen");
        }
        account.tag_user("exempt", "access-key-rotation:exempt-key", &key);
    });
    deployment.sweep(&[]).await;
    let notices = deployment.notices();
    let said: BTreeMap<_, _> = notices
        .iter()
        .map(|notice| ["accessKeyId", "exemption", "message"].map(|field| notice["detail"][field].clone()))
        .map(|[key, exemption, message]| (key.as_str().unwrap().to_owned(), (exemption, message)))
        .collect();
    let valid = |until: &str| json!({ "state": "valid", "until": until, "owner": "J\u{fc}rgen", "reason": null });
    let due = |key: &str, user: &str, rest: &str| {
        json!(format!("Access key {key} of user {user} in account {MEMBER} is due on {rest}"))
    };
    let expected = [
        (valid("2026-06-10"), due(&key, "exempt", "2026-03-11, in 10 days. It is exempt until 2026-06-10.")),
        (Value::Null, due(&other, "exempt", "2026-03-12, in 11 days: rotate it.")),
        // The exemption ends the day before.
        (valid("2026-03-10"), due(&short, "short", "2026-03-11, in 10 days: rotate it.")),
    ];
    assert_eq!(said, [key, other, short].into_iter().zip(expected).collect());
}

/// The runbook replaces such a key when it is due, and leaves an exempt one alone. Whether it can is the other side's tag, which the
/// function does not read. A key that is overdue did not rotate by itself.
#[tokio::test(start_paused = true)]
async fn a_key_due_soon_that_rotates_into_a_secret_is_said_to_rotate_by_itself() {
    let deployment = with_bus().await;
    let mut expected = BTreeMap::new();
    for (user, age, rest) in [
        (
            "soon",
            80,
            "is due on 2026-03-11, in 10 days. It rotates by itself into the secret prod/'mail', if rotation is on \
                      in the account and the secret has the tag access-key-rotation:user=soon.",
        ),
        ("exempt", 80, "is due on 2026-03-11, in 10 days: rotate it."),
        ("stale", 95, "was due on 2026-02-24, 5 days ago: rotate it."),
    ] {
        let key = deployment.user_with_key_of(user, days(age));
        deployment.member(|account| account.tag_user(user, "access-key-rotation:secret", " prod/\"mail\" "));
        expected.insert(key.clone(), format!("Access key {key} of user {user} in account {MEMBER} {rest}"));
    }
    deployment.member(|account| {
        account.tag_user("exempt", "access-key-rotation:exempt-until", "2026-03-05");
        account.tag_user("exempt", "access-key-rotation:exempt-owner", "payments");
    });
    let before = deployment.calls_of("GetUser");
    deployment.sweep(&[]).await;
    assert_eq!(deployment.calls_of("GetUser") - before, 3, "no call besides those for the owner");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let said = deployment.notices();
    let said = said.iter().map(|notice| (text(&notice["detail"]["accessKeyId"]), text(&notice["detail"]["message"])));
    assert_eq!(said.collect::<BTreeMap<_, _>>(), expected);
}

/// Whatever users call themselves and their owners, the notices are as templates/notices/schema.json says.
#[tokio::test(start_paused = true)]
async fn every_notice_keeps_to_the_schema() {
    let deployment = with_bus().await;
    for (n, text) in ["plain", "\"", "\\", "${jndi}", "\u{202e}olleh", "", &"x".repeat(256)].into_iter().enumerate() {
        for (kind, age) in [("soon", 80), ("stale", 95), ("exempt", 100)] {
            let name = format!("{kind}-{n}");
            let key = deployment.user_with_key_of(&name, days(age));
            deployment.member(|account| {
                account.tag_user(&name, "team", text);
                if kind == "exempt" {
                    account.tag_user(&name, "access-key-rotation:exempt-until", "2026-03-06");
                    account.tag_user(&name, "access-key-rotation:exempt-owner", text);
                    account.tag_user(&name, "access-key-rotation:exempt-reason", text);
                    account.use_key(&key, today() - days(1), "us-east-1", "s3");
                }
            });
        }
    }
    deployment.sweep(&[]).await;
    let notices = deployment.notices();
    assert_eq!(notices.len(), 21);
    let directory = tempfile::tempdir().unwrap();
    let files = notices.iter().enumerate().map(|(n, notice)| {
        let file = directory.path().join(format!("{n}.json"));
        std::fs::write(&file, notice.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    });
    let files: Vec<_> = files.collect();
    let mut arguments = vec!["--schemafile", "templates/notices/schema.json"];
    arguments.extend(files.iter().map(String::as_str));
    let valid = python::run("target/venv/bin/check-jsonschema", &arguments, &[], "").await.unwrap();
    assert_eq!(valid.trim(), "ok -- validation done");
}

#[tokio::test(start_paused = true)]
async fn a_change_on_the_day_of_a_milestone_swallows_no_notice() {
    let deployment = with_bus().await;
    deployment.user_with_key_of("bot", days(75));
    deployment.sweep(&[]).await;
    assert_eq!(deployment.milestones(), []);
    deployment.aws.world().advance(days(1));
    let change = async || {
        let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "bot", &[]).unwrap();
        deployment.send(&event).await.0.unwrap();
    };
    change().await;
    assert_eq!(deployment.milestones(), milestones(&[("Due Soon", 14)]), "before the sweep of the day");
    deployment.aws.world().advance(TimeDelta::hours(1));
    deployment.sweep(&[]).await;
    assert_eq!(deployment.milestones().len(), 1, "the sweep repeats nothing");
    change().await;
    assert_eq!(deployment.milestones().len(), 1, "it is sent already");
    deployment.aws.world().advance(days(1));
    change().await;
    assert_eq!(deployment.milestones().len(), 1, "the day after, too");
}

#[tokio::test(start_paused = true)]
async fn a_milestone_whose_day_had_no_sweep_is_notified_by_the_next_change() {
    let deployment = with_bus().await;
    deployment.user_with_key_of("bot", days(75));
    deployment.sweep(&[]).await;
    deployment.aws.world().advance(days(3));
    let change = async || {
        let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "bot", &[]).unwrap();
        deployment.send(&event).await.0.unwrap();
    };
    change().await;
    let expected = milestones(&[("Due Soon", 14)]);
    assert_eq!(deployment.milestones(), expected);
    deployment.sweep(&[]).await;
    assert_eq!(deployment.milestones(), expected, "once");

    // What the change could not look up is sent again, rather than not at all.
    deployment.fault(Some("GetComplianceDetailsByResource"), None, FaultKind::AccessDenied);
    change().await;
    let ids: Vec<_> = deployment.notices().iter().map(|event| event["detail"]["id"].clone()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1], "a repetition has the same id");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_notified_without_a_bus_or_in_a_test() {
    let deployment = Deployment::start().await;
    deployment.aws.world().account(HUB).add_event_bus(BUS);
    deployment.user_with_key_of("stale", days(100));
    deployment.sweep(&[]).await;
    assert_eq!(deployment.calls_of("PutEvents"), 0);

    let deployment = with_bus().await;
    deployment.user_with_key_of("stale", days(100));
    let mut event = events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
    event["resultToken"] = "TESTMODE".into();
    deployment.send(&event).await.0.unwrap();
    assert_eq!(deployment.calls_of("PutEvents"), 0);
}
