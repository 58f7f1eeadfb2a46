//! The table of access keys: one line for each key that somebody should do something about.

use crate::{
    findings::{
        board::Board,
        finding::{Finding, Key, Since},
        scan_result::ScanResult,
        to_do::Do,
    },
    output::{
        columns::{self, Column, Row, Style, left, right},
        look::Look,
        visible::on_one_line,
    },
};
use policy::access_key::KeyStatus;
use std::{
    borrow::Cow,
    io::{self, Write},
};

fn style(what: Do) -> Style {
    match what {
        Do::Exposed => Style::Alert,
        Do::Rotate | Do::Unblock | Do::FindOut => Style::Warn,
        Do::SwitchOff | Do::Delete => Style::Plain,
        Do::Wait => Style::Faint,
    }
}

/// Writes the keys, the most urgent first, or nothing if there are none. The columns that matter least go if the terminal is narrow.
pub(super) fn write(result: &ScanResult, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let board = Board::of(result);
    let names = result.account_names();
    let account = |finding: &Finding| names.get(finding.account.as_str()).copied().map(on_one_line);
    let rows = result.findings.iter().flat_map(|finding| rows(finding, account(finding), &board));
    columns::write_styled(&COLUMNS, rows, look, out)
}

/// The lines of a user. `account_name`: visible text, if the account has a name.
fn rows<'a>(finding: &'a Finding, account_name: Option<String>, board: &Board) -> Vec<Row<'a>> {
    let account = account_name.unwrap_or_else(|| finding.account.clone());
    let row = |key: Option<&'a Key>, what: Do| {
        let is_new = finding.since == Some(Since::New) && key.is_some_and(|key| finding.violates(key));
        let cells = vec![
            finding.user_name.as_str().into(),
            account.clone().into(),
            key.map_or("-", |key| &key.access_key_id).into(),
            key.map_or("-".into(), |key| format!("{} d", key.age_days).into()),
            key.map_or("-".into(), last_used),
            owner(finding),
            if is_new { format!("{} (new)", what.as_str()).into() } else { what.as_str().into() },
        ];
        Row { cells, style: style(what) }
    };
    let keys = finding.access_keys.iter();
    let rows: Vec<_> = keys.filter_map(|key| Some(row(Some(key), Do::of(finding, key, board)?))).collect();
    if rows.is_empty() && finding.is_exposed() {
        // No key is active, but the policy is still attached to the user.
        return vec![row(None, Do::Exposed)];
    }
    rows
}

const COLUMNS: [Column; 7] = [
    left("USER", 0),
    left("ACCOUNT", 12).goes(3),
    left("KEY", 0),
    right("AGE", 0).goes(4),
    left("LAST USED", 0).goes(2),
    left("OWNER", 0).goes(1),
    left("DO", 0).styled(),
];

fn last_used(key: &Key) -> Cow<'static, str> {
    match &key.last_used {
        _ if key.status != KeyStatus::Active => key.status.as_str().to_lowercase().into(),
        None => "not read".into(),
        Some(used) => match used.date {
            None => "no record".into(),
            Some(date) if used.service_name == "N/A" => date.date_naive().to_string().into(),
            Some(date) => format!("{} {}", date.date_naive(), on_one_line(&used.service_name)).into(),
        },
    }
}

fn owner(finding: &Finding) -> Cow<'static, str> {
    on_one_line(finding.owner_or("-", "?")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{
        finding::{Terms, compliant, used_key},
        scan_result::AccountScan,
    };
    use policy::{access_key::KeyState, verdict::Compliance};

    fn inactive(id: &str, age: i64) -> Key {
        Key { status: KeyStatus::Inactive, state: KeyState::OldInactive, ..used_key(id, age, None) }
    }

    /// A user whose active keys of more than 90 days are in violation.
    fn user(name: &str, keys: Vec<Key>) -> Finding {
        let ids = |state| keys.iter().filter(|key| key.state == state).map(|key| key.access_key_id.clone()).collect();
        let (violations, old_inactive_keys): (Vec<_>, _) = (ids(KeyState::Violation), ids(KeyState::OldInactive));
        let compliance = if violations.is_empty() { Compliance::Compliant } else { Compliance::NonCompliant };
        Finding {
            compliance,
            violations,
            old_inactive_keys,
            production: Some(false),
            owner: Some("payments".to_owned()),
            ..compliant(name, keys)
        }
    }

    fn exposed(finding: Finding) -> Finding {
        Finding { exposed: Some(true), ..finding }
    }

    fn written(findings: Vec<Finding>, look: Look) -> String {
        let mut result = ScanResult::new(Terms::by_default(), None);
        let account = "111122223333".to_owned();
        result.add(AccountScan { account, name: Some("shop".to_owned()), findings, ..AccountScan::default() });
        let mut out = Vec::new();
        write(&result.finish(), look, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_key_has_one_line_that_says_what_to_do_and_fits_100_columns() {
        let findings = vec![
            user("young", vec![used_key("AKIAYOUNG00000000001", 3, None)]),
            user("in-use", vec![used_key("AKIAINUSE00000000001", 200, Some(1))]),
            user(
                "idle",
                vec![used_key("AKIAIDLE000000000001", 300, Some(46)), used_key("AKIAIDLE000000000002", 400, Some(-1))],
            ),
            user("not-read", vec![used_key("AKIANOTREAD000000001", 250, None)]),
            user(
                "deleted-soon",
                vec![inactive("AKIAINACTIVE00000001", 500), used_key("AKIACURRENT000000001", 9, None)],
            ),
            exposed(user("leaked", vec![used_key("AKIALEAKED0000000001", 3, Some(0))])),
            exposed(user("leaked-off", Vec::new())),
            Finding {
                rotates_into: Some("prod/mail".to_owned()),
                ..user("rotates", vec![used_key("AKIAROTATES000000001", 91, Some(1))])
            },
        ];
        let text = written(findings, Look::default());
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let expected = "\
USER          ACCOUNT       KEY                     AGE  LAST USED      OWNER     DO
leaked        shop          AKIALEAKED0000000001    3 d  2026-03-01 s3  payments  EXPOSED
leaked-off    shop          -                         -  -              payments  EXPOSED
not-read      shop          AKIANOTREAD000000001  250 d  not read       payments  find out
in-use        shop          AKIAINUSE00000000001  200 d  2026-02-28 s3  payments  rotate
rotates       shop          AKIAROTATES000000001   91 d  2026-02-28 s3  payments  wait
idle          shop          AKIAIDLE000000000001  300 d  2026-01-14 s3  payments  switch off
idle          shop          AKIAIDLE000000000002  400 d  no record      payments  switch off
deleted-soon  shop          AKIAINACTIVE00000001  500 d  inactive       payments  delete
";
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&text), sorted(expected), "{text}");
        let first: Vec<_> = text.lines().skip(1).take(2).map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(first.iter().filter(|user| user.starts_with("leaked")).count(), 2, "{text}");
    }

    #[test]
    fn a_narrow_terminal_has_fewer_columns_and_no_cut_cell() {
        let findings = || vec![user("in-use", vec![used_key("AKIAINUSE00000000001", 200, Some(1))])];
        let head = |width| {
            let text = written(findings(), Look { width, color: false });
            assert!(text.contains("AKIAINUSE00000000001") && text.contains("rotate"), "{text}");
            text.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(head(None), "USER ACCOUNT KEY AGE LAST USED OWNER DO");
        assert_eq!(head(Some(82)), "USER ACCOUNT KEY AGE LAST USED OWNER DO");
        assert_eq!(head(Some(81)), "USER ACCOUNT KEY AGE LAST USED DO");
        assert_eq!(head(Some(60)), "USER ACCOUNT KEY AGE DO");
        assert_eq!(head(Some(20)), "USER KEY DO");
    }

    #[test]
    fn colors_are_in_the_last_column_alone_and_nobody_elses_text_acts_on_a_terminal() {
        let hostile = Finding {
            owner: Some("\u{1b}[2Jme\n".to_owned()),
            ..user("in-use", vec![used_key("AKIAINUSE00000000001", 200, Some(1))])
        };
        let plain = written(vec![hostile.clone()], Look::default());
        assert!(!plain.contains('\u{1b}') && plain.lines().count() == 2, "{plain:?}");
        let colored = written(vec![hostile], Look { width: None, color: true });
        assert!(colored.ends_with("  \u{1b}[33mrotate\u{1b}[0m\n"), "{colored:?}");
        assert_eq!(colored.matches('\u{1b}').count(), 2);
    }
}
