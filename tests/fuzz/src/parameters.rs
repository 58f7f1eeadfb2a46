//! `ruleParameters`, which the rule's owner writes.

use crate::terms::assert_error;
use policy::parameters::{Deliver, PARAMETERS, Parameter, Parameters, Takes};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value, json};
use std::fmt;

/// The input is `ruleParameters`.
pub(crate) fn parameters(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let given = match serde_json::from_str(text.trim()) {
        Ok(Fields(given)) => Some(given),
        _ => text.trim().is_empty().then(Vec::new),
    };
    match Parameters::parse(Some(&text)) {
        Ok(parameters) => {
            assert_read(given.as_ref().unwrap(), &parameters);
            given.iter().flatten().for_each(|given| assert_not_taken_twice(&text, given));
        }
        Err(error) => {
            let error = error.to_string();
            assert_error(&error);
            assert!(error.is_ascii() && error.len() < 300, "{error}");
            assert!(error.ends_with(". Correct the rule's parameters; nothing was evaluated."), "{error}");
            match given {
                None => assert!(error.starts_with("ruleParameters is not a JSON object"), "{error}"),
                Some(given) => assert!(given.iter().any(|(name, value)| names(&error, name, value, &given)), "{error}"),
            }
            return false;
        }
    }
    true
}

/// Whether each parameter has the value that was given, or its default, and nothing else was given.
fn assert_read(given: &[(String, Value)], parameters: &Parameters) {
    let written: Vec<_> = PARAMETERS.iter().zip(written(parameters)).collect();
    for (parameter, value) in &written {
        let expected: Vec<_> = given.iter().filter(|(name, _)| is(parameter, name)).collect();
        let expected = match expected[..] {
            [] => parameter.default(),
            [(_, value)] => allowed(parameter, value).unwrap(),
            _ => panic!("{} is given twice", parameter.name),
        };
        assert_eq!(*value, expected, "{}", parameter.name);
    }
    assert!(given.iter().all(|(name, _)| PARAMETERS.iter().any(|parameter| is(parameter, name))), "{given:?}");
    let again: Map<_, _> = written.iter().map(|(parameter, value)| (parameter.name.to_owned(), json!(value))).collect();
    assert_eq!(Parameters::parse(Some(&Value::Object(again).to_string())).as_ref(), Ok(parameters));
}

/// The fields of an object, each as often as it is there.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        deserializer.deserialize_map(Fields(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Fields, A::Error> {
        while let Some(field) = fields.next_entry()? {
            self.0.push(field);
        }
        Ok(self)
    }
}

/// What is given once more in the same words is an error, though it says the same.
fn assert_not_taken_twice(text: &str, (name, value): &(String, Value)) {
    let (rest, _) = text.rsplit_once('}').unwrap();
    let twice = format!("{rest},{}:{value}}}", json!(name));
    let error = Parameters::parse(Some(&twice)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{name}: given twice")), "{twice}: {error}");
}

/// Whether this is wrong, and the error says so.
fn names(error: &str, name: &str, value: &Value, given: &[(String, Value)]) -> bool {
    // A long or unprintable name is cut or replaced in the error.
    let is_whole = name.len() <= 40 && name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let begins = |with: &str| error.starts_with(with);
    match PARAMETERS.iter().find(|parameter| is(parameter, name)) {
        None => error.contains(": unknown parameter; known are ") && (!is_whole || begins(&format!("{name}: "))),
        Some(parameter) => {
            let is_wrong = allowed(parameter, value).is_none();
            let is_twice = given.iter().filter(|(name, _)| is(parameter, name)).count() > 1;
            is_wrong && begins(&format!("{}: ", parameter.name)) && error.contains(&parameter.allowed())
                || is_twice && begins(&format!("{name}: given twice"))
        }
    }
}

fn is(parameter: &Parameter, name: &str) -> bool {
    parameter.name.eq_ignore_ascii_case(name)
}

/// What the value means, by the manual; `None` if it is not allowed.
fn allowed(parameter: &Parameter, value: &Value) -> Option<String> {
    let value = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Null => String::new(),
        _ => return None,
    };
    if value.is_empty() {
        return Some(parameter.default());
    }
    match parameter.takes {
        Takes::Days { least, most, .. } => {
            let digits = value.strip_prefix('+').unwrap_or(&value);
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let digits = digits.trim_start_matches('0');
            let days = is_number
                .then(|| digits.bytes().fold(0u64, |all, byte| (all * 10 + u64::from(byte - b'0')).min(9999)))?;
            (u64::from(least)..=most.into()).contains(&days).then(|| days.to_string())
        }
        Takes::OneOf(words) => {
            words.iter().find(|word| **word == value.to_ascii_lowercase()).map(|word| (*word).to_owned())
        }
    }
}

/// The values, in the order of the table.
fn written(parameters: &Parameters) -> [String; 4] {
    let Parameters { max_access_key_age, warn_before_days, max_exemption_days, deliver } = parameters;
    let deliver = match deliver {
        Deliver::All => "all",
        Deliver::Changes => "changes",
    };
    [max_access_key_age.to_string(), warn_before_days.to_string(), max_exemption_days.to_string(), deliver.to_owned()]
}
