//! The credential report: GenerateCredentialReport, GetCredentialReport.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Context, Result};
use crate::credential_report::{Report, State};
use crate::response::Xml;

pub(super) fn generate(cx: &mut Context<'_>) -> Xml {
    let state = match cx.effects.stale_report {
        Some(_) => State::Complete,
        None => cx.account.generate_report(),
    };
    let mut members = vec![("State", Xml::text(state.as_str()))];
    if state == State::Started {
        members.push(("Description", Xml::text("No report exists. Starting a new report generation task")));
    }
    Xml::Structure(members)
}

pub(super) fn get(cx: &mut Context<'_>) -> Result<Xml> {
    let report = match cx.effects.stale_report {
        None => cx.account.reports.get(cx.account.now)?.clone(),
        Some(age) => {
            let generated = cx.account.now - age;
            let last = cx.account.reports.last().map(|report| report.csv.clone());
            Report { generated, csv: last.unwrap_or_else(|| cx.account.report_csv(generated)) }
        }
    };
    let content = if cx.effects.cut_off_report { cut_off(&report.csv) } else { &report.csv };
    Ok(Xml::Structure(vec![
        ("Content", Xml::text(STANDARD.encode(content))),
        ("ReportFormat", Xml::text("text/csv")),
        ("GeneratedTime", Xml::time(report.generated)),
    ]))
}

/// The first half, up to the middle of a row.
fn cut_off(csv: &str) -> &str {
    let half = csv.floor_char_boundary(csv.len() / 2);
    let start = csv[..half].rfind('\n').map_or(0, |newline| newline + 1);
    let end = csv[start..].find('\n').map_or(csv.len(), |length| start + length);
    &csv[..csv.floor_char_boundary(start + (end - start) / 2)]
}

#[cfg(test)]
mod tests {
    use super::cut_off;

    #[test]
    fn a_report_is_cut_off_within_a_row() {
        assert_eq!(cut_off("a,b,c,d\n1,2,3,4\n5,6,7,8"), "a,b,c,d\n1,2");
        assert_eq!(cut_off("a,b\n1,2,3"), "a,b\n1,");
    }
}
