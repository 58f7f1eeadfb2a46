//! The rule's parameters, in one table for the rule, the command line, the generator of the conformance pack and the tests.

use super::text::excerpt;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;
use std::fmt;
use thiserror::Error;

/// A parameter of the rule.
#[derive(Debug)]
pub struct Parameter {
    /// The name in `ruleParameters`, where case does not matter.
    pub name: &'static str,
    /// The values that it accepts.
    pub takes: Takes,
    /// What it is for, without a full stop.
    pub help: &'static str,
}

/// The values that a parameter accepts.
#[derive(Debug)]
pub enum Takes {
    /// Days of 86,400 seconds.
    Days {
        /// The smallest value.
        least: u16,
        /// The largest value.
        most: u16,
        /// The default value.
        default: u16,
    },
    /// One of these words. The first is the default.
    OneOf(&'static [&'static str]),
}

/// All parameters.
pub static PARAMETERS: [Parameter; 4] = [
    Parameter {
        // The name and default of the managed rule `access-keys-rotated`.
        name: "maxAccessKeyAge",
        takes: Takes::Days { least: 1, most: 3650, default: 90 },
        help: "An active access key older than this many days is stale",
    },
    Parameter {
        name: "warnBeforeDays",
        takes: Takes::Days { least: 0, most: 365, default: 14 },
        help: "Keys are listed as due soon this many days ahead",
    },
    Parameter {
        name: "maxExemptionDays",
        takes: Takes::Days { least: 1, most: 3650, default: 365 },
        help: "An exemption may end at most this many days from today",
    },
    Parameter {
        name: "deliver",
        takes: Takes::OneOf(&["changes", "all"]),
        help: "Which results the rule delivers to AWS Config, which bills each one",
    },
];

/// Which results the rule delivers to AWS Config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// Every result of every sweep.
    All,
    /// Every violation, and every other result that differs, word for word, from the one that AWS Config holds.
    Changes,
}

/// The error in `ruleParameters`: the parameter, its value and the allowed values.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct InvalidParameters(String);

/// `ruleParameters` of the AWS Config rule, checked: see [`PARAMETERS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// `maxAccessKeyAge`, in days.
    pub max_access_key_age: u16,
    /// `warnBeforeDays`, in days.
    pub warn_before_days: u16,
    /// `maxExemptionDays`, in days.
    pub max_exemption_days: u16,
    /// `deliver`: which results the rule delivers.
    pub deliver: Deliver,
}

impl Default for Parameters {
    fn default() -> Self {
        // Placeholders: the table sets every field, and a test checks that each parameter has a field of its own.
        let mut parameters =
            Parameters { max_access_key_age: 0, warn_before_days: 0, max_exemption_days: 0, deliver: Deliver::Changes };
        PARAMETERS.iter().for_each(|parameter| parameters.set(parameter.name, &parameter.default()));
        parameters
    }
}

impl Parameter {
    /// The value that the parameter has if it is absent or empty.
    pub fn default(&self) -> String {
        match self.takes {
            Takes::Days { default, .. } => default.to_string(),
            Takes::OneOf(words) => words.first().copied().unwrap_or_default().to_owned(),
        }
    }

    /// The allowed values, in words that follow "is not".
    pub fn allowed(&self) -> String {
        match self.takes {
            Takes::Days { least, most, .. } => format!("a whole number of days from {least} to {most}"),
            Takes::OneOf(words) => words.join(" or "),
        }
    }

    /// Checks a value and returns it in the form that [`Parameters`] takes: a number without leading zeros, a word in lower
    /// case.
    ///
    /// # Errors
    /// If the value is not allowed.
    pub fn check(&self, value: &str) -> Result<String, String> {
        let checked = match self.takes {
            _ if value.is_empty() => Some(self.default()),
            Takes::Days { least, most, .. } => {
                value.parse().ok().filter(|days| (least..=most).contains(days)).map(|days: u16| days.to_string())
            }
            Takes::OneOf(words) => {
                words.iter().find(|word| word.eq_ignore_ascii_case(value)).map(|word| (*word).to_owned())
            }
        };
        checked.ok_or_else(|| format!("{:?} is not {}", excerpt(value), self.allowed()))
    }
}

impl Parameters {
    /// Reads `ruleParameters`: a JSON object of strings, encoded as a string, or absent if the rule has no parameters.
    ///
    /// The case of names does not matter, and an empty value means the default.
    ///
    /// # Errors
    /// The first parameter that is wrong. The rule must then evaluate nothing.
    pub fn parse(rule_parameters: Option<&str>) -> Result<Parameters, InvalidParameters> {
        let mut parameters = Parameters::default();
        let text = rule_parameters.unwrap_or_default().trim();
        if text.is_empty() {
            return Ok(parameters);
        }
        let Ok(Given(given)) = serde_json::from_str(text) else {
            return Err(invalid("ruleParameters is not a JSON object".to_owned()));
        };
        let mut seen: Vec<&str> = Vec::new();
        for (name, value) in &given {
            let Some(parameter) = PARAMETERS.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name)) else {
                let known = PARAMETERS.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join(", ");
                return Err(invalid(format!("{}: unknown parameter; known are {known}", excerpt(name))));
            };
            if seen.contains(&parameter.name) {
                return Err(invalid(format!("{}: given twice", excerpt(name))));
            }
            seen.push(parameter.name);
            let value = match value {
                Value::String(value) => value.trim().to_owned(),
                Value::Null => String::new(),
                // Numbers are taken as they are. The check refuses all other types.
                other => other.to_string(),
            };
            let value = parameter.check(&value).map_err(|why| invalid(format!("{}: {why}", parameter.name)))?;
            parameters.set(parameter.name, &value);
        }
        Ok(parameters)
    }

    /// Sets a value that has been checked.
    fn set(&mut self, name: &str, value: &str) {
        let days = || value.parse().unwrap_or_default();
        match name {
            "maxAccessKeyAge" => self.max_access_key_age = days(),
            "warnBeforeDays" => self.warn_before_days = days(),
            "maxExemptionDays" => self.max_exemption_days = days(),
            "deliver" => self.deliver = if value == "all" { Deliver::All } else { Deliver::Changes },
            _ => {}
        }
    }
}

/// The fields of a JSON object. A map would hold only the last of those with the same name.
struct Given(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
        deserializer.deserialize_map(Given(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Given {
    type Value = Given;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Given, A::Error> {
        while let Some(field) = fields.next_entry()? {
            self.0.push(field);
        }
        Ok(self)
    }
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
    fn each_parameter_has_a_default_of_its_own_and_takes_another_value() {
        let defaults = Parameters {
            max_access_key_age: 90,
            warn_before_days: 14,
            max_exemption_days: 365,
            deliver: Deliver::Changes,
        };
        assert_eq!(Parameters::default(), defaults);
        for parameter in &PARAMETERS {
            let other = match parameter.takes {
                Takes::Days { most, .. } => most.to_string(),
                Takes::OneOf(words) => (*words.last().unwrap()).to_owned(),
            };
            let given = serde_json::json!({ parameter.name: other }).to_string();
            assert_ne!(Parameters::parse(Some(&given)).unwrap(), defaults, "{}", parameter.name);
        }
    }

    #[test]
    fn the_case_of_names_does_not_matter() {
        let given = r#"{"MAXACCESSKEYAGE":" 30 ","warnbeforedays":"0","MaxExemptionDays":3650,"DELIVER":"ALL"}"#;
        let expected =
            Parameters { max_access_key_age: 30, warn_before_days: 0, max_exemption_days: 3650, deliver: Deliver::All };
        assert_eq!(Parameters::parse(Some(given)).unwrap(), expected);
    }

    #[test]
    fn an_error_names_the_wrong_value_and_the_allowed_ones() {
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
            (r#"{"maxAccessKeyAge":"90","maxAccessKeyAge":"3650"}"#, "maxAccessKeyAge: given twice"),
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
        fn parsing_never_panics_and_never_leaves_the_ranges(text in any::<String>(), name in 0usize..PARAMETERS.len(), value in any::<String>()) {
            let object = serde_json::json!({ PARAMETERS[name].name: value }).to_string();
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
