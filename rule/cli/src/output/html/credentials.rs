//! What the page says of the credentials that the rule does not cover: access keys of the root user, and service-specific credentials.

use super::parts::{Theirs, heads, number, scrolling};
use crate::findings::{finding::AccountSummary, other_credentials::ServiceSpecificCredential, scan_result::ScanResult};
use maud::{Markup, html};
use policy::access_key::KeyStatus;
use std::io::{self, Write};

/// The root users who have access keys, as far as that was read.
pub(super) fn root_keys(accounts: &[AccountSummary]) -> Markup {
    let sentences = accounts.iter().map(AccountSummary::root_sentences);
    let sentences: Vec<_> = sentences.filter(|of_account| !of_account.is_empty()).collect();
    html! {
        @if !sentences.is_empty() {
            section.notice.alert aria-labelledby="root" {
                h2 #root { "Root access keys: " (number(sentences.len(), "account")) }
                ul { @for sentence in sentences.iter().flatten() { li { (Theirs(sentence)) } } }
            }
        }
    }
}

/// What was not read. Without this, it would look as if there were none.
pub(super) fn unread(accounts: &[AccountSummary]) -> Markup {
    let sentences: Vec<_> = accounts.iter().flat_map(AccountSummary::unread_sentences).collect();
    html! {
        @if !sentences.is_empty() {
            section.notice aria-labelledby="credentials-unread" {
                h2 #credentials-unread { "Not read: other long-lived credentials" }
                p { "They have no effect on the verdicts, which are about access keys of IAM users." }
                ul { @for sentence in &sentences { li { (Theirs(sentence)) } } }
            }
        }
    }
}

/// Writes the service-specific credentials, the most urgent first. Writes nothing if there are none.
pub(super) fn write_credentials(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let credentials = result.service_specific_credentials();
    if credentials.is_empty() {
        return Ok(());
    }
    let table = html! {
        table.list.cards {
            thead { tr { (heads(&["Account", "User", "Service", "Credential", "Status", "Age", "Expires"])) } }
            tbody { @for (account, credential) in &credentials { (row(account, credential)) "\n" } }
        }
    };
    let section = html! {
        section aria-labelledby="service-credentials" {
            h2 #service-credentials { "Service-specific credentials" }
            p {
                "Passwords and API keys of IAM users, each for one service. The rule does not cover them. Delete those that a role can \
                 replace. Give the others an end, if the service allows one."
            }
            details open {
                summary { (number(credentials.len(), "credential")) }
                (scrolling("Service-specific credentials", &table))
            }
        }
    };
    writeln!(out, "{}", section.into_string())
}

fn row(account: &str, credential: &ServiceSpecificCredential) -> Markup {
    html! {
        tr {
            td { (Theirs(account)) }
            th scope="row" { bdi { (Theirs(&credential.user_name)) } }
            td { (Theirs(&credential.service_name)) }
            td { code { (Theirs(&credential.service_specific_credential_id)) } }
            td { (credential.status.as_str()) }
            td { (number(credential.age_days, "day")) }
            td {
                @if credential.status == KeyStatus::Active && credential.expiration_date.is_none() {
                    span.mark.warn { "never" }
                } @else {
                    (credential.expires())
                }
            }
        }
    }
}
