//! Commands of the AWS CLI that people copy into a POSIX shell.

use super::shell::quoted;
use crate::findings::{
    finding::{Key, Terms},
    record::DELETION,
};

/// The arguments of an IAM command about a user, or one of the user's keys. `--user-name=NAME` is one word: the AWS CLI would take a
/// name that begins with `-` for an option.
pub(crate) fn iam(action: &str, user: &str, key: Option<&str>) -> Vec<String> {
    let mut arguments = vec!["iam".to_owned(), action.to_owned(), format!("--user-name={user}")];
    if let Some(key) = key {
        arguments.extend(["--access-key-id".to_owned(), key.to_owned()]);
    }
    arguments
}

/// The command with these arguments, each of which is one word of the shell.
pub(crate) fn command(arguments: &[String]) -> String {
    let words: Vec<_> = arguments.iter().map(|argument| quoted(argument)).collect();
    format!("aws {}", words.join(" "))
}

/// How a key goes that is not active: by the runbook that may delete it, or by a command.
pub(crate) fn deletion(user: &str, key: &Key, terms: &Terms) -> String {
    let by_runbook = key.deletable_from().map(|day| format!("{DELETION} may delete {} from {day}", key.access_key_id));
    by_runbook.unwrap_or_else(|| delete_command(user, key, terms))
}

/// The command that deletes a key. A credential report has no key ids, so there it is the one that lists them.
pub(crate) fn delete_command(user: &str, key: &Key, terms: &Terms) -> String {
    if terms.credential_report {
        command(&iam("list-access-keys", user, None))
    } else {
        command(&iam("delete-access-key", user, Some(&key.access_key_id)))
    }
}

/// What comes before the commands of [`delete_command`].
pub(crate) fn before_deletion(terms: &Terms) -> &'static str {
    if terms.credential_report {
        "Delete each once nothing needs it: nobody can undo that. A report has no key ids, so list them first, then run \
             aws iam delete-access-key."
    } else {
        "Delete each once nothing needs it: nobody can undo that."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_an_option_and_always_one_word() {
        let delete = |user| command(&iam("delete-access-key", user, Some("AKIAONE")));
        assert_eq!(delete("-rf"), "aws iam delete-access-key --user-name=-rf --access-key-id AKIAONE");
        assert_eq!(
            delete("it's; $(x)"),
            r"aws iam delete-access-key '--user-name=it'\''s; $(x)' --access-key-id AKIAONE"
        );
    }
}
