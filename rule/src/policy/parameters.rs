//! The rule's parameters, checked before anything is called.

use super::text::excerpt;
use serde_json::Value;
use thiserror::Error;

/// Which results are delivered to AWS Config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// Every result of every sweep.
    All,
    /// Every violation, and of the other results those that differ, word for word, from what AWS Config holds.
    Changes,
}

/// What is wrong with `ruleParameters`: the parameter, its value and what is allowed.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct InvalidParameters(String);

/// `ruleParameters` of the AWS Config rule. All ages are in days of 86,400 seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// An active key older than this is stale: 1 to 3650, 90 by default (the managed rule's name and default).
    pub max_access_key_age: u16,
    /// A compliant user is told of a key that falls due within this time: 0 to 365, 14 by default.
    pub warn_before_days: u16,
    /// How far ahead an exemption may end: 1 to 3650, 365 by default.
    pub max_exemption_days: u16,
    /// `changes` by default.
    pub deliver: Deliver,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { max_access_key_age: 90, warn_before_days: 14, max_exemption_days: 365, deliver: Deliver::Changes }
    }
}

const KNOWN: &str = "maxAccessKeyAge, warnBeforeDays, maxExemptionDays, deliver";

impl Parameters {
    /// Reads `ruleParameters`: a JSON object, as a string, of strings; absent when the rule has no parameters.
    ///
    /// Names match without regard to case; an empty value means the default.
    ///
    /// # Errors
    /// The first parameter that is wrong. Nothing may then be evaluated.
    pub fn parse(rule_parameters: Option<&str>) -> Result<Parameters, InvalidParameters> {
        let mut parameters = Parameters::default();
        let text = rule_parameters.unwrap_or_default().trim();
        if text.is_empty() {
            return Ok(parameters);
        }
        let Ok(Value::Object(given)) = serde_json::from_str(text) else {
            return Err(invalid("ruleParameters is not a JSON object".to_owned()));
        };
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in &given {
            let name_in_lower_case = name.to_ascii_lowercase();
            let value = match value {
                Value::String(value) => value.trim().to_owned(),
                Value::Number(value) => value.to_string(),
                Value::Null => String::new(),
                // Of no allowed form, which the check of the value will say.
                other => other.to_string(),
            };
            if seen.contains(&name_in_lower_case) {
                return Err(invalid(format!("{}: given twice", excerpt(name))));
            }
            parameters.set(&name_in_lower_case, name, &value)?;
            seen.push(name_in_lower_case);
        }
        Ok(parameters)
    }

    fn set(&mut self, name_in_lower_case: &str, name: &str, value: &str) -> Result<(), InvalidParameters> {
        let default = Parameters::default();
        match name_in_lower_case {
            "maxaccesskeyage" => {
                self.max_access_key_age = days("maxAccessKeyAge", value, 1, 3650, default.max_access_key_age)?;
            }
            "warnbeforedays" => {
                self.warn_before_days = days("warnBeforeDays", value, 0, 365, default.warn_before_days)?;
            }
            "maxexemptiondays" => {
                self.max_exemption_days = days("maxExemptionDays", value, 1, 3650, default.max_exemption_days)?;
            }
            "deliver" => {
                self.deliver = match value.to_ascii_lowercase().as_str() {
                    "" | "changes" => Deliver::Changes,
                    "all" => Deliver::All,
                    _ => return Err(not_allowed("deliver", value, "changes or all")),
                };
            }
            _ => return Err(invalid(format!("{}: unknown parameter; known are {KNOWN}", excerpt(name)))),
        }
        Ok(())
    }
}

fn days(name: &str, value: &str, least: u16, most: u16, default: u16) -> Result<u16, InvalidParameters> {
    if value.is_empty() {
        return Ok(default);
    }
    match value.parse() {
        Ok(days) if (least..=most).contains(&days) => Ok(days),
        _ => Err(not_allowed(name, value, &format!("a whole number of days from {least} to {most}"))),
    }
}

fn not_allowed(name: &str, value: &str, allowed: &str) -> InvalidParameters {
    invalid(format!("{name}: {:?} is not {allowed}", excerpt(value)))
}

fn invalid(what: String) -> InvalidParameters {
    InvalidParameters(format!("{what}. Correct the rule's parameters; nothing was evaluated."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error_of(rule_parameters: &str) -> String {
        Parameters::parse(Some(rule_parameters)).unwrap_err().to_string()
    }

    #[test]
    fn absent_and_empty_mean_the_defaults() {
        for text in [None, Some(""), Some("  "), Some("{}"), Some(r#"{"maxAccessKeyAge":"","deliver":null}"#)] {
            assert_eq!(Parameters::parse(text).unwrap(), Parameters::default(), "{text:?}");
        }
    }

    #[test]
    fn names_match_without_regard_to_case() {
        let given = r#"{"MAXACCESSKEYAGE":" 30 ","warnbeforedays":"0","MaxExemptionDays":3650,"DELIVER":"ALL"}"#;
        let expected =
            Parameters { max_access_key_age: 30, warn_before_days: 0, max_exemption_days: 3650, deliver: Deliver::All };
        assert_eq!(Parameters::parse(Some(given)).unwrap(), expected);
    }

    #[test]
    fn a_wrong_value_is_named_with_what_is_allowed() {
        for (given, expected) in [
            (r#"{"maxAccessKeyAge":"0"}"#, r#"maxAccessKeyAge: "0" is not a whole number of days from 1 to 3650"#),
            (
                r#"{"maxAccessKeyAge":"3651"}"#,
                r#"maxAccessKeyAge: "3651" is not a whole number of days from 1 to 3650"#,
            ),
            (r#"{"maxAccessKeyAge":"-90"}"#, r#"maxAccessKeyAge: "-90" is not"#),
            (r#"{"maxAccessKeyAge":"90.5"}"#, r#"maxAccessKeyAge: "90.5" is not"#),
            (r#"{"maxAccessKeyAge":"99999999999999999999"}"#, r#"maxAccessKeyAge: "99999999999999999999" is not"#),
            (r#"{"warnBeforeDays":"366"}"#, r#"warnBeforeDays: "366" is not a whole number of days from 0 to 365"#),
            (r#"{"maxExemptionDays":"0"}"#, r#"maxExemptionDays: "0" is not a whole number of days from 1 to 3650"#),
            (r#"{"keySource":"report"}"#, "keySource: unknown parameter; known are maxAccessKeyAge"),
            (r#"{"deliver":"none"}"#, r#"deliver: "none" is not changes or all"#),
            (r#"{"maxKeyAge":"90"}"#, "maxKeyAge: unknown parameter; known are maxAccessKeyAge"),
            (r#"{"deliver":"all","Deliver":"changes"}"#, "given twice"),
            (r#"{"deliver":["all"]}"#, r#"deliver: "[\"all\"]" is not changes or all"#),
            (r#"[1]"#, "ruleParameters is not a JSON object"),
            (r#"{"maxAccessKeyAge":"#, "ruleParameters is not a JSON object"),
        ] {
            let error = error_of(given);
            assert!(error.contains(expected), "{given}: {error}");
        }
    }

    #[test]
    fn a_long_or_unprintable_value_is_cut_in_the_message() {
        let error = error_of(&format!(r#"{{"deliver":"{}\u0007é"}}"#, "x".repeat(5000)));
        assert!(error.len() < 300 && error.is_ascii(), "{error}");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_never_leaves_the_ranges(text in any::<String>(), name in 0usize..4, value in any::<String>()) {
            let names = ["maxAccessKeyAge", "warnBeforeDays", "maxExemptionDays", "deliver"];
            let object = serde_json::json!({ names[name]: value }).to_string();
            for given in [text, object] {
                if let Ok(parameters) = Parameters::parse(Some(&given)) {
                    prop_assert!((1..=3650).contains(&parameters.max_access_key_age));
                    prop_assert!(parameters.warn_before_days <= 365);
                    prop_assert!((1..=3650).contains(&parameters.max_exemption_days));
                }
            }
        }
    }
}
