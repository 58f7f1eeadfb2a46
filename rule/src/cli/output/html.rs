//! One page for the browser, for those who act on a scan and those who audit it.
//!
//! The file stands alone and asks nobody for anything: style and script are in it, and its content security policy allows
//! these two, by their hashes, and nothing else. Without the script all is there but sorting and filtering.

mod totals;
mod users;

use crate::findings::{
    comparison::{Comparison, Violation},
    finding::{AccountSummary, Terms},
    organization_scan::OrganizationScan,
};
use std::{
    fmt::{self, Display, Write as _},
    io::{self, Write},
};
pub(crate) use totals::Totals;
use users::{Listing, users};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
/// Of the two above, as the policy names them. A browser ignores what does not match; `tests/browser/check.mjs` tells.
const STYLE_HASH: &str = "sha256-SBrXZPkVP5vvyHFSerxTvVvOy8HzyFmyqej2WjhD8wk=";
const SCRIPT_HASH: &str = "sha256-dGcn9LjF4Bp45KbMFH0m9/Uy0nsaxsU3DGRU2A5sJ2c=";

/// Writes the page.
pub(crate) fn write(survey: OrganizationScan, out: &mut dyn Write) -> io::Result<()> {
    let OrganizationScan { terms, accounts, comparison, findings, totals, .. } = survey;
    let missing: Vec<_> = accounts.iter().filter_map(|account| Some((account, account.error.as_deref()?))).collect();
    head(&terms, &totals, missing.len(), out)?;
    writeln!(out, "<main>")?;
    incomplete(&missing, accounts.len(), out)?;
    if terms.credential_report {
        writeln!(
            out,
            "<section class=\"notice\" aria-labelledby=\"report\"><h2 id=\"report\">From a credential report alone</h2>\n\
             <p>It has neither key ids nor tags: exemptions, owners and production are unknown, and who is exempt counts as \
             non-compliant here. Its dates say when a key was created or last switched on: a key \
             that was switched off and on again looks new, and its user compliant.</p></section>"
        )?;
    }
    totals.tiles(&terms, &accounts, out)?;
    if let Some(comparison) = &comparison {
        since(comparison, out)?;
    }
    writeln!(out, "<div class=\"charts\">")?;
    totals.ages(&terms, out)?;
    totals.due(&terms, out)?;
    writeln!(out, "</div>")?;
    account_table(&accounts, out)?;
    let compared = comparison.is_some();
    users(findings, &Listing { terms: &terms, accounts: &accounts, totals: &totals, compared }, out)?;
    let version = env!("CARGO_PKG_VERSION");
    writeln!(out, "</main>\n<footer><p>access-key-rotation {version}</p></footer>")?;
    writeln!(out, "<script>{SCRIPT}</script>\n</body>\n</html>")
}

fn head(terms: &Terms, totals: &Totals, missing: usize, out: &mut dyn Write) -> io::Result<()> {
    let Terms { scanned_at, max_access_key_age, warn_before_days, quiet_days, .. } = terms;
    let warning = if missing == 0 { "" } else { "Not complete: " };
    let limit = number(*max_access_key_age, "day");
    let warned = match warn_before_days {
        0 => String::new(),
        days => format!("Users whose keys fall due within {} are listed too. ", number(days, "day")),
    };
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{STYLE_HASH}'; \
         script-src '{SCRIPT_HASH}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{warning}{}, {}</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        number(totals.non_compliant, "non-compliant IAM user"),
        scanned_at.date_naive(),
    )?;
    writeln!(
        out,
        "<header>\n<h1>IAM access keys older than {limit}</h1>\n<p>Scanned on {} UTC. An active access key older than {limit} \
         is stale, and its user non-compliant unless exempt. {warned}A key in violation is in use if it was used within {}.</p>\n\
         <nav aria-label=\"On this page\"><a href=\"#accounts\">Accounts</a> <a href=\"#users\">Users</a></nav>\n</header>",
        scanned_at.format("%Y-%m-%d at %H:%M"),
        number(*quiet_days, "day"),
    )
}

/// What is not known comes before all that is.
fn incomplete(missing: &[(&AccountSummary, &str)], accounts: usize, out: &mut dyn Write) -> io::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<section class=\"notice alert\" aria-labelledby=\"incomplete\"><h2 id=\"incomplete\">Not complete: {} of {}</h2>\n\
         <p>Users who could not be evaluated are missing below. They are unknown, not compliant.</p>\n<ul>",
        grouped(missing.len()),
        number(accounts, "account"),
    )?;
    for (account, error) in missing {
        let name = account.name.as_deref().map(|name| format!(" (<bdi>{}</bdi>)", Escaped(name))).unwrap_or_default();
        writeln!(out, "<li>{}{name}: <bdi>{}</bdi></li>", Escaped(&account.account), Escaped(error))?;
    }
    writeln!(out, "</ul></section>")
}

fn since(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let Comparison { scanned_at, fixed, exempt, new, open, unknown, new_accounts } = comparison;
    let then = scanned_at.format("%Y-%m-%d at %H:%M");
    writeln!(
        out,
        "<section aria-labelledby=\"since\"><h2 id=\"since\">Since the scan on {then} UTC</h2>\n\
         <p>Access keys in violation then or now.</p>\n<dl class=\"tiles\">"
    )?;
    let lists = [("Fixed", fixed), ("Exempt now", exempt), ("New", new), ("Unknown", unknown)];
    for (what, list) in [lists[0], lists[1], lists[2], ("Still open", open), lists[3]] {
        tile(what, grouped(list.len()), "", out)?;
    }
    writeln!(out, "</dl>")?;
    if !unknown.is_empty() {
        writeln!(out, "<p>Unknown: in violation then, and not evaluated now.</p>")?;
    }
    if !new_accounts.is_empty() {
        let ids: Vec<_> = new_accounts.iter().map(|id| Escaped(id).to_string()).collect();
        writeln!(out, "<p>Not scanned in full then, so that new may be old: {}.</p>", ids.join(", "))?;
    }
    // Those still open are among the users below.
    for (what, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        writeln!(
            out,
            "<details open><summary>{what}: {}</summary>\n{}<table>\n\
             <thead><tr><th scope=\"col\">Account</th><th scope=\"col\">User</th><th scope=\"col\">Access key</th></tr></thead>\n\
             <tbody>",
            number(list.len(), "access key"),
            scrolling(&format!("Access keys: {}", what.to_lowercase())),
        )?;
        for Violation { account, user_name, access_key_id, .. } in list {
            writeln!(
                out,
                "<tr><td>{}</td><th scope=\"row\"><bdi>{}</bdi></th><td class=\"id\">{}</td></tr>",
                Escaped(account),
                Escaped(user_name),
                Escaped(access_key_id)
            )?;
        }
        writeln!(out, "</tbody></table></div></details>")?;
    }
    writeln!(out, "</section>")
}

fn account_table(accounts: &[AccountSummary], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<section aria-labelledby=\"accounts\"><h2 id=\"accounts\">Accounts</h2>\n\
         <details open><summary>{}</summary>\n{}<table>\n<thead><tr><th scope=\"col\">Account</th><th scope=\"col\">Name</th>\
         <th scope=\"col\" class=\"number\">Evaluated</th><th scope=\"col\" class=\"number\">Non-compliant</th>\
         <th scope=\"col\" class=\"number\">Exempt</th><th scope=\"col\">State</th></tr></thead>\n<tbody>",
        number(accounts.len(), "account"),
        scrolling("Accounts"),
    )?;
    for account in accounts {
        let AccountSummary { account: id, name, users_evaluated, users_non_compliant, users_exempt, error } = account;
        let exempt = users_exempt.map_or(UNKNOWN.to_owned(), |exempt| known(exempt, error.is_none()));
        writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td><bdi>{}</bdi></td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"number\">{exempt}</td><td>{}</td></tr>",
            Escaped(id),
            Escaped(name.as_deref().unwrap_or("–")),
            grouped(users_evaluated),
            known(*users_non_compliant, error.is_none()),
            if error.is_some() { "<span class=\"mark alert\">not complete</span>" } else { "complete" },
        )?;
    }
    writeln!(out, "</tbody></table></div></details></section>")
}

const UNKNOWN: &str = "unknown";

/// A number of users. Of those who were not evaluated nothing is known, not even that there are none.
fn known(count: usize, complete: bool) -> String {
    match (complete, count) {
        (true, _) => grouped(count),
        (false, 0) => UNKNOWN.to_owned(),
        (false, _) => format!("<small>at least</small> {}", grouped(count)),
    }
}

fn tile(what: &str, value: String, style: &str, out: &mut dyn Write) -> io::Result<()> {
    // A word has no room in the size of numbers.
    let value = if value == UNKNOWN { format!("<small>{UNKNOWN}</small>") } else { value };
    writeln!(out, "<div class=\"{style}\"><dt>{what}</dt><dd>{value}</dd></div>")
}

/// The start of a box in which a wide table scrolls, also by keyboard.
fn scrolling(what: &str) -> String {
    format!("<div class=\"scrolling\" role=\"group\" aria-label=\"{what}\" tabindex=\"0\">")
}

/// Somebody else's text, for an element or a quoted attribute. Characters that cannot be seen, among them those that turn the
/// direction of the text around, are shown as such.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
                f.write_char(char::REPLACEMENT_CHARACTER)
            }
            c if c.is_control() && c != '\n' => f.write_char(char::REPLACEMENT_CHARACTER),
            c => f.write_char(c),
        })
    }
}

/// `1 user`, `1,500 users`.
fn number(number: impl Display, what: &str) -> String {
    let number = grouped(number);
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// `1,500`.
fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
