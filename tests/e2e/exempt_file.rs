//! `exempt --apply`, `--check` and `--export`: exemptions in a file that people review.

use crate::{
    cli::{Cli, said},
    support::*,
    transcript::Transcript,
};
use chrono::Utc;
use local_aws::{Account, FaultKind, World};
use policy::exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_UNTIL};
use std::{collections::BTreeMap, fs, process::Stdio};
use tempfile::TempDir;
use tokio::process::{Child, Command};

const FILE: &str = "exemptions.yaml";
const KEY: &str = "AKIAOFSOMEBODYELSE00";

/// The command line, and the directory of the file.
pub(crate) struct Exemptions {
    pub(crate) cli: Cli,
    directory: TempDir,
}

impl Exemptions {
    pub(crate) async fn start() -> Exemptions {
        Exemptions::start_in(World::live_clock()).await
    }

    pub(crate) async fn start_in(world: World) -> Exemptions {
        Exemptions { cli: Cli::start_in(world).await, directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(self.directory.path().join(FILE), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let connection = ["--role-name", EVALUATION_ROLE, "--calls-per-second", "1000"];
        let mut command = self.cli.command(&[&["exempt"], arguments, &connection].concat());
        command.current_dir(&self.directory);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        said(self.command(arguments).output().await.unwrap())
    }

    pub(crate) async fn apply(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.run(&[&["--apply", FILE], arguments].concat()).await
    }

    async fn check(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.run(&[&["--check", FILE], arguments].concat()).await
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The calls that write, in order.
    pub(crate) fn writes(&self) -> Vec<String> {
        let world = self.cli.deployment.aws.world();
        let writes = world.calls().iter().filter(|call| ["TagUser", "UntagUser"].contains(&call.action.as_str()));
        writes.map(|call| call.action.clone()).collect()
    }

    pub(crate) fn tags(&self, account: &str, user: &str) -> BTreeMap<String, String> {
        self.cli.deployment.aws.world().account(account).user(user).unwrap().tags.clone()
    }
}

/// An entry of the file; `more` are further fields.
pub(crate) fn entry(account: &str, user: &str, until: &str, more: &str) -> String {
    format!("  - {{Account: '{account}', User: {user}, ExemptOwner: finance, ExemptUntil: {until}{more}}}\n")
}

pub(crate) fn file(entries: &[String]) -> String {
    format!("AccessKeyRotation:\n{}", entries.concat())
}

pub(crate) fn user(account: &mut Account, name: &str, tags: &[(&str, &str)]) {
    account.create_user(name, Utc::now());
    tags.iter().for_each(|(tag, value)| assert!(account.tag_user(name, tag, value)));
}

/// Users in two accounts: one without an exemption, one with another, one with the same, and one without an entry; their file.
async fn start() -> (Exemptions, String) {
    let exemptions = Exemptions::start().await;
    let (soon, later) = (day(10), day(200));
    let key = {
        let mut world = exemptions.cli.deployment.aws.world();
        let member = world.account(MEMBER);
        let key = user_with_key(member, "billing", 400);
        let tags =
            [(EXEMPT_UNTIL, soon.as_str()), (EXEMPT_OWNER, "payments"), (EXEMPT_REASON, "old"), (EXEMPT_KEY, &key)];
        user(member, "changed", &tags);
        member.tag_user("changed", "team", "finance");
        let other = world.account(OTHER_MEMBER);
        let same = [(EXEMPT_UNTIL, later.as_str()), (EXEMPT_OWNER, " finance "), (EXEMPT_REASON, "")];
        user(other, "same", &same);
        user(other, "stranger", &[(EXEMPT_OWNER, "so\u{2003}me")]);
        user(other, "nobody", &[("team", "finance")]);
        key
    };
    let entries = [
        entry(MEMBER, "billing", &later, &format!(", Key: {key}, ExemptReason: the bank takes keys only")),
        entry(MEMBER, "changed", &later, ""),
        entry(OTHER_MEMBER, "same", &later, ""),
        "  - {Address: a.b, ExemptOwner: finance, ExemptReason: x, ExemptUntil: 2000-01-01}\n".to_owned(),
    ];
    exemptions.write(file(&entries));
    (exemptions, key)
}

#[tokio::test]
async fn a_file_is_applied_once_and_what_it_lacks_is_listed_and_removed_only_if_you_say_so() {
    let (exemptions, key) = start().await;
    let later = day(200);
    let mut transcript = Transcript::by_the_clock().naming("key", &key);

    let (status, out, error) = exemptions.check(&[]).await;
    assert_eq!((status, error.as_str()), (Some(3), ""));
    transcript.add("exempt --check", &out, &error);
    let (status, out, error) = exemptions.apply(&["--dry-run"]).await;
    assert_eq!((status, error.as_str(), exemptions.writes().len()), (Some(0), "", 0));
    transcript.add("exempt --apply --dry-run", &out, &error);

    let (status, out, error) = exemptions.apply(&[]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    transcript.add("exempt --apply", &(lines.join("\n") + "\n"), &error);
    let tags = |tags: &[(&str, &str)]| tags.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let billing = [
        (EXEMPT_UNTIL, later.as_str()),
        (EXEMPT_OWNER, "finance"),
        (EXEMPT_REASON, "the bank takes keys only"),
        (EXEMPT_KEY, &key),
    ];
    assert_eq!(exemptions.tags(MEMBER, "billing"), tags(&billing));
    let changed = tags(&[(EXEMPT_UNTIL, &later), (EXEMPT_OWNER, "finance"), ("team", "finance")]);
    assert_eq!(exemptions.tags(MEMBER, "changed"), changed);
    assert_eq!(exemptions.writes().len(), 3, "two users, and the earlier reason and key of one of them");

    let manual = include_str!("../../rule/cli/REFERENCE.md");
    let (_, section) = manual.split_once("| `exempt --export`").unwrap();
    let (section, _) = section.split_once("\n\n").unwrap();
    for action in exemptions.cli.deployment.calls().keys().filter(|action| *action != "AssumeRole") {
        assert!(action == "GetCallerIdentity" || section.contains(&format!("`iam:{action}`")), "{action}");
    }

    exemptions.cli.deployment.clear_calls();
    let (status, out, error) = exemptions.apply(&[]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    transcript.add("exempt --apply once more", &out, &error);
    let calls =
        [("AssumeRole", 2), ("GetAccountAuthorizationDetails", 2), ("GetCallerIdentity", 1), ("ListAccessKeys", 1)];
    assert_eq!(exemptions.cli.deployment.calls(), calls.map(|(action, number)| (action.to_owned(), number)).into());

    let (status, out, error) = exemptions.apply(&["--prune", "--dry-run"]).await;
    assert_eq!((status, error.as_str(), exemptions.writes().len()), (Some(0), "", 0));
    transcript.add("exempt --apply --prune --dry-run", &out, &error);
    let (status, out, error) = exemptions.apply(&["--prune"]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    transcript.add("exempt --apply --prune", &out, &error);
    assert_eq!(exemptions.tags(OTHER_MEMBER, "stranger"), tags(&[]));
    assert_eq!(exemptions.tags(OTHER_MEMBER, "nobody"), tags(&[("team", "finance")]));

    let (status, out, error) = exemptions.check(&[]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    transcript.add("exempt --check", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn everything_is_checked_before_the_first_write_and_every_error_is_listed() {
    let exemptions = Exemptions::start().await;
    let (until, past, far) = (day(20), day(-1), day(400));
    exemptions.cli.deployment.member(|account| {
        for name in ["good", "keyed", "keyless", "past", "far"] {
            account.create_user(name, Utc::now());
        }
        account.create_key("keyed", Utc::now()).unwrap();
        user(account, "misspelled", &[("Access-Key-Rotation:Exempt-Until", "2026-12-31")]);
    });
    let keyed = exemptions.cli.deployment.member(|account| account.user("keyed").unwrap().keys[0].id.clone());
    let key = format!(", Key: {KEY}");
    let entries = [
        entry(MEMBER, "good", &until, ""),
        entry(MEMBER, "keyed", &until, &key),
        entry(MEMBER, "keyless", &until, &key),
        entry(MEMBER, "past", &past, ""),
        entry(MEMBER, "far", &far, ""),
        entry(MEMBER, "gone", &until, ""),
        entry(MEMBER, "Good", &until, "").replace("Good", "GOOD-"),
        entry(MEMBER, "misspelled", &until, ""),
        entry("123456789012", "nobody", &until, ""),
        entry("123456789012", "somebody", &until, ""),
    ];
    exemptions.write(file(&entries));
    let mut transcript = Transcript::by_the_clock().naming("key", &keyed);
    for arguments in [&[][..], &["--prune"], &["--dry-run"]] {
        let (status, out, error) = exemptions.apply(arguments).await;
        assert_eq!((status, out.as_str(), exemptions.writes().len()), (Some(1), "", 0));
        if arguments.is_empty() {
            transcript.add("exempt --apply", &out, &error);
        }
    }
    let (status, out, error) = exemptions.check(&[]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""), "too far ahead, which no time mends");
    transcript.add("exempt --check", &out, &error);
    let (status, out, error) = exemptions.check(&["--max-exemption-days", "500", "--days", "20"]).await;
    assert_eq!(status, Some(1), "an account cannot be entered");
    transcript.add("exempt --check --max-exemption-days 500 --days 20", &out, &error);
    insta::assert_snapshot!(transcript);
    assert!(exemptions.writes().is_empty());
}

#[tokio::test]
async fn a_check_finds_each_kind_of_drift_by_itself() {
    let exemptions = Exemptions::start().await;
    let until = day(30);
    exemptions.cli.deployment.member(|account| {
        user(account, "bank", &[(EXEMPT_UNTIL, &until), (EXEMPT_OWNER, "finance")]);
    });
    let entry = entry(MEMBER, "bank", &until, "");
    exemptions.write(file(std::slice::from_ref(&entry)));
    for (arguments, expected) in
        [(&[][..], 0), (&["--days", "29"], 0), (&["--days", "30"], 3), (&["--days", "3650"], 3)]
    {
        assert_eq!(exemptions.check(arguments).await.0, Some(expected), "{arguments:?}");
    }
    for (tag, value) in [(EXEMPT_OWNER, "other"), (EXEMPT_KEY, KEY), (EXEMPT_REASON, "why"), (EXEMPT_UNTIL, "soon")] {
        exemptions.cli.deployment.member(|account| account.tag_user("bank", tag, value));
        assert_eq!(exemptions.check(&[]).await.0, Some(3), "{tag}");
        exemptions.cli.deployment.member(|account| account.untag_user("bank", tag));
        exemptions.cli.deployment.member(|account| {
            user(account, "bank", &[(EXEMPT_UNTIL, &until), (EXEMPT_OWNER, "finance")]);
        });
        assert_eq!(exemptions.check(&[]).await.0, Some(0), "{tag}");
    }
    exemptions.cli.deployment.fault(Some("GetAccountAuthorizationDetails"), None, FaultKind::RepeatedMarker);
    let (status, out, error) = exemptions.check(&[]).await;
    assert_eq!(status, Some(1), "{out}{error}");
    assert!(
        error.contains(", line 2, column 15: account 444455556666: iam:GetAccountAuthorizationDetails: "),
        "{error}"
    );
    exemptions.cli.deployment.aws.world().faults.clear();
    exemptions.cli.deployment.member(|account| account.delete_user("bank"));
    let (status, out, _) = exemptions.check(&[]).await;
    assert_eq!(status, Some(3), "{out}");
    assert!(
        out.starts_with("exemptions.yaml, line 2, column 37: account 444455556666 has no user \"bank\"\n"),
        "{out}"
    );
    assert!(exemptions.writes().is_empty());
}

#[tokio::test]
async fn a_denied_listing_costs_calls_and_changes_nothing_else() {
    let (exemptions, _) = start().await;
    let (_, expected, _) = exemptions.check(&[]).await;
    exemptions.cli.deployment.fault(Some("GetAccountAuthorizationDetails"), None, FaultKind::AccessDenied);
    let (status, out, error) = exemptions.check(&[]).await;
    assert_eq!((status, error.as_str(), out), (Some(3), "", expected));
    assert_eq!(exemptions.apply(&["--prune"]).await.0, Some(0));
    assert_eq!(exemptions.check(&[]).await.0, Some(0));
    exemptions.cli.deployment.fault(Some("GetUser"), Some("nobody"), FaultKind::AccessDenied);
    let (status, _, error) = exemptions.apply(&["--prune"]).await;
    assert_eq!(status, Some(1));
    assert!(error.contains("1 of 3 users unknown: nobody"), "{error}");
    assert!(error.ends_with("\nNothing was written\n"), "{error}");
}

#[tokio::test]
async fn what_is_exported_is_what_is_there() {
    let exemptions = Exemptions::start().await;
    let until = day(20);
    let key = {
        let mut world = exemptions.cli.deployment.aws.world();
        let member = world.account(MEMBER);
        let key = user_with_key(member, "no", 400);
        let tags = [
            (EXEMPT_UNTIL, until.as_str()),
            (EXEMPT_OWNER, "Köln \u{2028}+: a"),
            (EXEMPT_REASON, "- no"),
            (EXEMPT_KEY, &key),
        ];
        user(member, "no", &tags);
        user(member, "=123", &[(EXEMPT_UNTIL, &until), (EXEMPT_OWNER, " 0x1F ")]);
        user(world.account(HUB), "zz", &[(EXEMPT_UNTIL, &until), (EXEMPT_OWNER, "true")]);
        key
    };
    let here = ["--export", "--account", MEMBER];
    let (status, out, error) = exemptions.run(&here).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    let mut transcript = Transcript::by_the_clock().naming("key", &key).naming("a past day", "2026-02-28");
    transcript.add("exempt --export", &out, &error);
    assert_eq!(exemptions.run(&here).await.1, out);
    exemptions.write(&out);
    let (status, out, error) = exemptions.check(&[]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
    transcript.add("exempt --check", &out, &error);
    assert_eq!(exemptions.apply(&["--prune"]).await.0, Some(0));
    assert!(exemptions.writes().is_empty());

    exemptions.cli.deployment.member(|account| {
        user(account, "past", &[(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, "a\u{2028}# b")]);
        user(account, "soon", &[(EXEMPT_UNTIL, "so\u{2028}- on")]);
    });
    let (status, out, error) = exemptions.run(&here).await;
    assert_eq!(status, Some(0));
    exemptions.write(&out);
    transcript.add("exempt --export, with exemptions that are void", &out, &error);
    let (status, out, error) = exemptions.check(&[]).await;
    assert_eq!(status, Some(3));
    transcript.add("exempt --check", &out, &error);
    insta::assert_snapshot!(transcript);

    exemptions.cli.deployment.fault(Some("GetAccountAuthorizationDetails"), None, FaultKind::RepeatedMarker);
    let (status, out, error) = exemptions.run(&here).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(error.ends_with("\nNothing was exported: the file would lack exemptions\n"), "{error}");
}

#[tokio::test]
async fn a_bad_file_costs_no_call() {
    let exemptions = Exemptions::start().await;
    let mut transcript = Transcript::default();
    for (name, bytes) in [
        ("a date that there is not", entry(MEMBER, "bank", "2027-02-29", "")),
        ("an account without quotes", entry("012345678901", "bank", "2027-01-31", "").replace('\'', "")),
        ("fields that there are not", entry(MEMBER, "bank", "2027-01-31", ", owner: x, \"\\e[2J\": y")),
        ("two entries", entry(MEMBER, "bank", "2027-01-31", "").repeat(2)),
        ("a tab", "\t- a\n".to_owned()),
    ] {
        exemptions.write(file(&[bytes]));
        for command in ["--apply", "--check"] {
            let (status, out, error) = exemptions.run(&[command, FILE]).await;
            assert_eq!((status, out.as_str()), (Some(1), ""), "{name}");
            if command == "--apply" {
                transcript.add(format!("exempt --apply, with {name}"), &out, &error);
            }
        }
    }
    exemptions.write(vec![b'#'; (8 << 20) + 1]);
    let (status, _, error) = exemptions.apply(&[]).await;
    assert_eq!(
        (status, error.as_str()),
        (Some(1), "access-key-rotation: exemptions.yaml: longer than 8 MB. Split it\n")
    );
    exemptions.write(format!("AccessKeyRotation:\n{}", "- 1\n".repeat(200_000)));
    let (_, _, error) = exemptions.apply(&[]).await;
    assert_eq!(error.lines().count(), 102);
    assert!(error.ends_with("\n199900 more\nNothing was written\n"), "{error}");
    insta::assert_snapshot!(transcript);
    assert_eq!(exemptions.cli.deployment.calls().len(), 0);
    let (status, _, error) = exemptions.run(&["--apply", "none.yaml"]).await;
    assert_eq!(status, Some(1));
    assert!(error.starts_with("access-key-rotation: none.yaml: "), "{error}");
}

#[tokio::test]
async fn a_file_without_entries_prunes_nothing() {
    let exemptions = Exemptions::start().await;
    {
        let mut world = exemptions.cli.deployment.aws.world();
        user(world.account(HUB), "bank", &[(EXEMPT_UNTIL, &day(20)), (EXEMPT_OWNER, "finance")]);
        deployment::organize(&mut world, HUB, &[(HUB, "hub".to_owned()), (MEMBER, "member".to_owned())], FUNCTION);
    }
    exemptions.write("AccessKeyRotation: []\n");
    let mut transcript = Transcript::by_the_clock();
    for (arguments, expected) in [(&["--prune"][..], 1), (&["--prune", "--organization"], 1), (&["--organization"], 0)]
    {
        let (status, out, error) = exemptions.apply(arguments).await;
        transcript.add(format!("exempt --apply {}", arguments.join(" ")), &out, &error);
        assert_eq!(status, Some(expected), "{error}");
    }
    exemptions.write(file(&[entry(OTHER_MEMBER, "bank", &day(20), ""), entry(MEMBER, "bank", &day(20), "")]));
    let (status, out, error) = exemptions.apply(&["--organization", "--exclude", MEMBER]).await;
    assert_eq!(status, Some(1));
    transcript.add("exempt --apply --organization --exclude, with entries of accounts outside", &out, &error);
    insta::assert_snapshot!(transcript);
    assert!(exemptions.writes().is_empty());
}

const FUNCTION: &str = "arn:aws:iam::111122223333:role/access-key-rotation-function";
