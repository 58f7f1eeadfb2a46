//! The rule's function, by which `coverage` and `evidence` know the rule in each account.

use access_key_rotation::aws::home::Home;
use anyhow::bail;

/// Parses a function's name, as Lambda's reference of `CreateFunction` defines it, or its ARN without a qualifier.
pub(crate) fn function(text: &str) -> anyhow::Result<String> {
    let name = if text.starts_with("arn:") { text.split(':').nth(6).unwrap_or_default() } else { text };
    let is_arn = |home: Home| home.function_arn(name) == text;
    if function_name(name).is_ok() && (name == text || Home::from_function_arn(text).is_ok_and(is_arn)) {
        Ok(text.to_owned())
    } else {
        bail!(
            "pass a function's name, at most 64 letters, digits, hyphens and underscores, or its ARN without a version or alias"
        )
    }
}

/// Parses a function's name.
pub(crate) fn function_name(text: &str) -> anyhow::Result<String> {
    let is_name =
        (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_name {
        Ok(text.to_owned())
    } else {
        bail!("a function's name, without the rest of its ARN, has at most 64 letters, digits, hyphens and underscores")
    }
}

/// The ARN of what [`function`] parsed: a name is that of a function in the current account and Region.
pub(crate) fn function_arn(home: &Home, function: &str) -> String {
    if function.starts_with("arn:") { function.to_owned() } else { home.function_arn(function) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_the_current_account_and_an_arn_says_where_it_is() {
        let home = Home::from_function_arn("arn:aws:lambda:eu-central-1:111122223333:function:any").unwrap();
        let arn = |text: &str| function(text).map(|function| function_arn(&home, &function)).ok();
        let ours = "arn:aws:lambda:eu-central-1:111122223333:function:access-key-rotation";
        assert_eq!(arn("access-key-rotation").as_deref(), Some(ours));
        let elsewhere = "arn:aws-cn:lambda:cn-north-1:210987654321:function:rotation_2";
        assert_eq!(arn(elsewhere).as_deref(), Some(elsewhere));
        for wrong in [
            "",
            "a:b",
            &"n".repeat(65),
            &format!("{ours}:7"),
            "arn:aws:lambda:eu-central-1:111122223333:function:",
            "arn:aws:lambda:eu-central-1:1:function:access-key-rotation",
            "arn:aws:lambda:eu-central-1:111122223333:layer:access-key-rotation",
            "arn:aws:iam::111122223333:role/access-key-rotation",
        ] {
            assert!(function(wrong).is_err(), "{wrong}");
        }
    }
}
