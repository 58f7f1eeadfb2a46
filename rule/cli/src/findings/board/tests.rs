use super::*;
use crate::findings::{
    finding::{AccountSummary, Used, compliant},
    record::Record,
};
use policy::access_key::KeyStatus::{Active, Inactive};

const SECRET: &str = "prod/mail";

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn days_ago(days: i64) -> DateTime<Utc> {
    now() - TimeDelta::days(days)
}

/// A key of so many days, with the state that the policy gives it.
fn key(id: &str, age: i64) -> Key {
    let state = match age {
        91.. => KeyState::Violation,
        77..=90 => KeyState::DueSoon,
        _ => KeyState::Current,
    };
    Key {
        access_key_id: id.to_owned(),
        description: None,
        status: Active,
        create_date: days_ago(age),
        age_days: age,
        last_used: None,
        record: None,
        state,
        exempt_until: None,
    }
}

fn inactive(id: &str, age: i64) -> Key {
    let state = if age > 90 { KeyState::OldInactive } else { KeyState::Current };
    Key { status: Inactive, state, ..key(id, age) }
}

fn used(key: Key, ago: Option<TimeDelta>) -> Key {
    let (region, service_name) = ("eu-west-1".to_owned(), "s3".to_owned());
    Key { last_used: Some(Used { date: ago.map(|ago| now() - ago), region, service_name }), ..key }
}

fn recorded(key: Key, state: record::State, deletable_from: Option<&str>) -> Key {
    let record = Record { state, since: Some(days_ago(10)), execution: None, deletable_from: deletable_from.map(day) };
    Key { record: Some(record), ..key }
}

fn rotation(state: Stage, ago: TimeDelta) -> Rotation {
    Rotation {
        state,
        changed: Some(now() - ago),
        execution: Some("7a4c6d1f".to_owned()),
        secret: Some("arn".to_owned()),
        new_key: Some("NEW".to_owned()),
        reason: (state == Stage::Blocked).then(|| "Secrets Manager refuses it.".to_owned()),
    }
}

/// A user whose tags were read and name a secret.
fn rotates(keys: &[Key]) -> Finding {
    Finding { rotates_into: Some(SECRET.to_owned()), production: Some(false), ..compliant("bot", keys.to_vec()) }
}

fn under_way(state: Stage, ago: TimeDelta, keys: &[Key]) -> Finding {
    Finding { rotation: Some(rotation(state, ago)), ..rotates(keys) }
}

fn other(keys: &[Key]) -> Finding {
    Finding { rotates_into: None, ..rotates(keys) }
}

fn board(rotations_error: Option<&str>) -> Board {
    let mut result = ScanResult::new(Terms::by_default(), None);
    let rotations_error = rotations_error.map(str::to_owned);
    result.accounts.push(AccountSummary {
        account: "111122223333".to_owned(),
        rotations_error,
        ..AccountSummary::default()
    });
    Board::of(&result)
}

/// Each entry as a line: key, state, day, what comes next, what to do.
fn lines(board: &Board, finding: &Finding) -> Vec<String> {
    let text = |text: Option<String>| text.unwrap_or("-".to_owned());
    let line = |(key, entry): (&Key, Entry)| {
        let on = text(entry.on.map(|day| day.to_string()));
        let id = &key.access_key_id;
        format!("{id} | {} | {on} | {} | {}", entry.place.as_str(), text(entry.next), text(entry.to_do))
    };
    board.entries(finding).into_iter().map(line).collect()
}

const BY_ITSELF: &str = "It rotates by itself into the secret prod/mail, if rotation is on in the account and the secret has the tag \
                         access-key-rotation:user=bot.";

#[test]
fn each_key_has_one_state_the_next_step_its_day_and_what_to_do() {
    let hours = TimeDelta::hours;
    let days = TimeDelta::days;
    let deactivated = |key| recorded(key, record::State::Deactivated, Some("2026-03-20"));
    for (what, finding, expected) in [
        ("young", rotates(&[key("A", 10)]), vec![]),
        ("exempt, and no rotation", other(&[Key { state: KeyState::Exempt, ..key("A", 100) }]), vec![]),
        (
            "stale, by hand",
            other(&[key("A", 100)]),
            vec!["A | stale | - | - | Rotate it, or retire it if nobody needs it.".to_owned()],
        ),
        (
            "due soon, by hand",
            other(&[key("A", 80)]),
            vec!["A | due soon | 2026-03-11 | It becomes stale. | Rotate it before 2026-03-11.".to_owned()],
        ),
        (
            "due soon, and nobody knows",
            Finding { production: None, ..other(&[key("A", 80)]) },
            vec![
                "A | due soon | 2026-03-11 | It becomes stale. | Rotate it before 2026-03-11, unless it rotates by itself: \
                 the user's tags could not be read."
                    .to_owned(),
            ],
        ),
        (
            "due soon, and rotates later",
            rotates(&[Key { state: KeyState::DueSoon, ..key("A", 70) }]),
            vec![format!("A | due soon | 2026-03-06 | {BY_ITSELF} | -")],
        ),
        (
            "due since today",
            rotates(&[Key { state: KeyState::DueSoon, ..key("A", 75) }]),
            vec![format!("A | due soon | - | {BY_ITSELF} | -")],
        ),
        (
            "late",
            rotates(&[key("A", 80)]),
            vec![format!(
                "A | due soon | - | {BY_ITSELF} | It was due to rotate on 2026-02-24. Start AccessKeyRotation-RotateKey: its result \
                 says what holds it up."
            )],
        ),
        (
            "stale",
            rotates(&[key("A", 100)]),
            vec![format!(
                "A | stale | - | {BY_ITSELF} | It was due to rotate on 2026-02-04. Start AccessKeyRotation-RotateKey: its result \
                 says what holds it up."
            )],
        ),
        (
            "due soon, exempt",
            rotates(&[Key { exempt_until: Some(day("2026-06-01")), ..key("A", 80) }]),
            vec![
                "A | due soon | 2026-06-01 | It is exempt, so nothing rotates it until the exemption ends. | -".to_owned(),
            ],
        ),
        (
            "no room, and nobody knows the other key",
            rotates(&[key("A", 80), key("B", 20)]),
            vec![
                "A | blocked | - | - | There is no room for a new key until B is deleted. Find out which of the two the consumer \
                 needs, and delete the other."
                    .to_owned(),
            ],
        ),
        (
            "no room until a deactivated key goes",
            rotates(&[key("A", 80), deactivated(inactive("B", 85))]),
            vec![
                "A | due soon | 2026-03-20 | There is no room for a new key until B is deleted. \
                 AccessKeyRotation-DeleteDeactivatedKeys deletes it, if nobody used it since. | -"
                    .to_owned(),
                "B | deactivated | 2026-03-20 | AccessKeyRotation-DeleteDeactivatedKeys deletes it, if nobody used it since. | -"
                    .to_owned(),
            ],
        ),
        (
            "a key that was made after the records were read",
            rotates(&[key("A", 80), Key { create_date: now() - TimeDelta::minutes(1), ..key("B", 0) }]),
            vec!["A | unknown | - | - | Run plan again in an hour: B was just made, perhaps by a rotation.".to_owned()],
        ),
        (
            "being made",
            Finding {
                rotation: Some(Rotation { new_key: None, ..rotation(Stage::Creating, TimeDelta::minutes(2)) }),
                ..rotates(&[key("OLD", 80)])
            },
            vec![
                "OLD | rotating | - | A run is at work, or ended. The next run of AccessKeyRotation-RotateKey goes on. | -"
                    .to_owned(),
            ],
        ),
        (
            "made, and the run ended",
            under_way(Stage::Created, hours(5), &[key("OLD", 80), key("NEW", 0)]),
            vec![
                "OLD | rotating | - | A run ended. The next run of AccessKeyRotation-RotateKey goes on. | -".to_owned(),
                "NEW | rotating | - | It is the new key. A run ended. The next run of AccessKeyRotation-RotateKey goes on. | -"
                    .to_owned(),
            ],
        ),
        (
            "settling",
            under_way(Stage::Switched, days(3), &[used(key("OLD", 80), Some(days(4))), key("NEW", 3)]),
            vec![
                "OLD | settling | 2026-03-05 | NEW replaced it. AccessKeyRotation-RotateKey deactivates it after 7 days without \
                 use. | -"
                    .to_owned(),
            ],
        ),
        (
            "settling, and used still",
            under_way(Stage::Switched, days(30), &[used(key("OLD", 106), Some(days(1))), key("NEW", 30)]),
            vec![
                "OLD | settling | 2026-03-07 | NEW replaced it. AccessKeyRotation-RotateKey deactivates it after 7 days without \
                 use. | Find out what still uses it (last used on 2026-02-28 by s3): it must read the key from the secret."
                    .to_owned(),
            ],
        ),
        (
            "settled long ago",
            under_way(Stage::Switched, days(20), &[used(key("OLD", 96), None), key("NEW", 20)]),
            vec![
                "OLD | settling | - | NEW replaced it. AccessKeyRotation-RotateKey deactivates it after 7 days without use. | Look \
                 at the last run of AccessKeyRotation-RotateKey: perhaps nobody has used NEW yet."
                    .to_owned(),
            ],
        ),
        (
            "settling, with a last use that nobody knows",
            under_way(Stage::Switched, days(20), &[key("OLD", 96), key("NEW", 20)]),
            vec![
                "OLD | settling | - | NEW replaced it. AccessKeyRotation-RotateKey deactivates it after 7 days without use. Its \
                 last use could not be read. | -"
                    .to_owned(),
            ],
        ),
        (
            "settling, exempt",
            under_way(
                Stage::Switched,
                days(3),
                &[Key { exempt_until: Some(day("2026-06-01")), ..key("OLD", 80) }, key("NEW", 3)],
            ),
            vec!["OLD | settling | 2026-06-01 | NEW replaced it. It stays active while it is exempt. | -".to_owned()],
        ),
        (
            "switched on again",
            under_way(
                Stage::Switched,
                days(20),
                &[recorded(key("OLD", 96), record::State::Deactivated, None), key("NEW", 20)],
            ),
            vec![
                "OLD | blocked | - | - | NEW replaced it, but it is on, though it has a record. Find out who needs it, then delete \
                 it."
                .to_owned(),
            ],
        ),
        (
            "the new key is gone",
            under_way(Stage::Switched, days(3), &[key("OLD", 80)]),
            vec![
                "OLD | unknown | - | - | A rotation was under way, but the user does not have its new key. Find out which key the \
                 secret holds."
                    .to_owned(),
            ],
        ),
        (
            "a younger key besides",
            under_way(Stage::Switched, days(3), &[key("NEW", 3), key("B", 1)]),
            vec![],
        ),
        (
            "the new key is due before the old one settled",
            under_way(Stage::Switched, days(80), &[used(key("OLD", 160), Some(days(1))), key("NEW", 80)]),
            vec![
                "OLD | settling | 2026-03-07 | NEW replaced it. AccessKeyRotation-RotateKey deactivates it after 7 days without \
                 use. | Find out what still uses it (last used on 2026-02-28 by s3): it must read the key from the secret."
                    .to_owned(),
                "NEW | due soon | - | There is no room for a new key until OLD is deleted. It settles first. | -".to_owned(),
            ],
        ),
        (
            "blocked",
            under_way(Stage::Blocked, days(2), &[key("OLD", 80), recorded(inactive("NEW", 2), record::State::Deactivated, Some("2026-03-20"))]),
            vec![
                "OLD | blocked | 2026-03-06 | AccessKeyRotation-RotateKey tries again. | Fix what holds the rotation up, then \
                 start AccessKeyRotation-RotateKey for the user: Secrets Manager refuses it."
                    .to_owned(),
                "NEW | deactivated | - | It is a new key whose secret was not stored. AccessKeyRotation-RotateKey deletes it, if \
                 CloudTrail shows that it made the key and nobody used it. | -"
                    .to_owned(),
            ],
        ),
        (
            "blocked long ago, and the new key is on",
            under_way(Stage::Blocked, days(9), &[key("OLD", 80), key("NEW", 9)]),
            vec![
                "OLD | blocked | - | AccessKeyRotation-RotateKey tries again. | Fix what holds the rotation up, then start \
                 AccessKeyRotation-RotateKey for the user: Secrets Manager refuses it."
                    .to_owned(),
                "NEW | blocked | - | It is a new key whose secret was not stored. AccessKeyRotation-RotateKey deactivates it. | -"
                    .to_owned(),
            ],
        ),
        (
            "somebody deactivated the new key",
            under_way(Stage::Created, hours(5), &[inactive("NEW", 0)]),
            vec![
                "NEW | blocked | - | - | It is the new key of a rotation, and inactive. Delete it if nobody needs it.".to_owned(),
            ],
        ),
        (
            "a record that nobody can read",
            under_way(Stage::Unreadable, hours(5), &[key("A", 10)]),
            vec!["A | unknown | - | - | Look at the parameter /access-key-rotation/users/AIDAbot.".to_owned()],
        ),
        (
            "deactivated and deletable, for people",
            other(&[
                deactivated(inactive("A", 100)),
                recorded(inactive("B", 100), record::State::Deactivated, Some("2026-03-01")),
            ]),
            vec![
                "A | deactivated | 2026-03-20 | - | Start AccessKeyRotation-DeleteDeactivatedKeys from 2026-03-20 on.".to_owned(),
                "B | deletable | 2026-03-01 | - | Start AccessKeyRotation-DeleteDeactivatedKeys from 2026-03-01 on.".to_owned(),
            ],
        ),
        (
            "deletable since long, and rotates",
            rotates(&[recorded(inactive("A", 100), record::State::Deactivated, Some("2026-02-20"))]),
            vec![
                "A | deletable | 2026-02-20 | AccessKeyRotation-DeleteDeactivatedKeys deletes it, if nobody used it since. | It \
                 is still there. Start AccessKeyRotation-DeleteDeactivatedKeys: its result says why."
                    .to_owned(),
            ],
        ),
        (
            "switched off by hand",
            other(&[inactive("A", 100), inactive("B", 20)]),
            vec!["A | old, inactive | - | - | Delete it once nothing needs it.".to_owned()],
        ),
        (
            "a deactivation that did not end",
            other(&[recorded(inactive("A", 100), record::State::Deactivating, None)]),
            vec![
                "A | unknown | - | - | The record is deactivating since 2026-02-19: the run did not end, or is under way. No \
                 runbook deletes it."
                    .to_owned(),
            ],
        ),
    ] {
        assert_eq!(lines(&board(None), &finding), expected, "{what}");
    }
}

/// A listing of records that failed does not mean that there is no rotation.
#[test]
fn without_the_records_nobody_knows_whether_a_rotation_is_under_way() {
    let board = board(Some("denied"));
    for finding in [rotates(&[key("A", 80)]), rotates(&[key("A", 80), key("B", 0)])] {
        let expected =
            "A | due soon | - | - | Whether its rotation is under way is unknown, since the records could not be read.";
        assert_eq!(lines(&board, &finding), [expected]);
    }
    let by_hand = lines(&board, &other(&[key("A", 100)]));
    assert_eq!(by_hand, ["A | stale | - | - | Rotate it, or retire it if nobody needs it."]);
}

/// Whatever the records say, no state promises something for a day that is past, and each says what comes next or what to do.
#[test]
fn every_combination_of_keys_and_records_has_an_answer() {
    let states =
        [Stage::Creating, Stage::Created, Stage::Switching, Stage::Switched, Stage::Blocked, Stage::Unreadable];
    let records = [
        record::State::Deactivating,
        record::State::Deactivated,
        record::State::Reactivated,
        record::State::Unreadable,
    ];
    let mut entries = 0;
    for rotation in states.map(Some).into_iter().chain([None]) {
        for (ages, statuses) in [[3, 80], [80, 3], [100, 100], [10, 20]].into_iter().flat_map(|ages| {
            [[Active, Active], [Active, Inactive], [Inactive, Active]].map(|statuses| (ages, statuses))
        }) {
            for record in records.map(Some).into_iter().chain([None]) {
                let mut keys = [key("OLD", ages[0]), key("NEW", ages[1])];
                for (key, status) in keys.iter_mut().zip(statuses) {
                    key.status = status;
                    if status == Inactive {
                        *key = inactive(&key.access_key_id, key.age_days);
                    }
                }
                if let Some(record) = record {
                    let day = (record == record::State::Deactivated && statuses[0] == Inactive).then_some("2026-03-20");
                    keys[0] = recorded(keys[0].clone(), record, day);
                }
                let finding = match rotation {
                    Some(state) => under_way(state, TimeDelta::days(3), &keys),
                    None => rotates(&keys),
                };
                for (_, entry) in board(None).entries(&finding) {
                    entries += 1;
                    assert!(entry.on.is_none_or(|day| day >= now().date_naive()), "{finding:?}: {entry:?}");
                    assert!(entry.on.is_none() || entry.next.is_some(), "{finding:?}: {entry:?}");
                    assert!(entry.to_do.is_some() || entry.next.is_some(), "{finding:?}: {entry:?}");
                }
            }
        }
    }
    assert!(entries > 300, "{entries}");
}
