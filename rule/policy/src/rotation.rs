//! Whether a user takes part in rotation: the runbook AccessKeyRotation-RotateKey then replaces the key, and its consumer reads the new
//! one from a secret. Both sides agree to that by a tag. Here, only the user's is known.

use crate::user::Tags;

/// The tag of a user that names the secret, by name or ARN.
pub const SECRET_TAG: &str = "access-key-rotation:secret";
/// The tag of a secret that names the user.
pub const USER_TAG: &str = "access-key-rotation:user";

/// The secret that a user's tags name, as the runbook reads them. Whoever may tag the user writes it, so it is untrusted text.
pub fn secret(tags: &Tags) -> Option<&str> {
    tags.get(SECRET_TAG).map(|secret| secret.trim()).filter(|secret| !secret.is_empty())
}

/// What to say of a key that the runbook replaces when it is due: one sentence, which claims no more than the user's tag shows.
pub fn by_itself(secret: &str, user_name: &str) -> String {
    format!(
        "It rotates by itself into the secret {secret}, if rotation is on in the account and the secret has the tag {USER_TAG}={user_name}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_takes_part_if_the_tag_names_a_secret() {
        for (tag, value, expected) in [
            (SECRET_TAG, " prod/mail ", Some("prod/mail")),
            (SECRET_TAG, " ", None),
            ("Access-Key-Rotation:Secret", "prod/mail", None),
            (USER_TAG, "bot", None),
        ] {
            assert_eq!(secret(&[(tag.to_owned(), value.to_owned())].into()), expected, "{tag}={value}");
        }
    }
}
