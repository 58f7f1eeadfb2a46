//! The coverage of one account and of many: when AWS Config last evaluated the rule there.

use crate::{
    aws::{account::Account, client::CallError},
    config_service::rules::{EvaluationStatus, Rule, evaluation_status, rules_that_invoke},
};
use chrono::{DateTime, TimeDelta, Utc};
use policy::text::{ascii, fit, seconds};
use serde::{Deserialize, Serialize};

/// An evaluation may be this late and yet come: Lambda keeps an event that it cannot deliver for six hours ("Asynchronous
/// invocation" in its developer guide).
const MARGIN: TimeDelta = TimeDelta::hours(6);
/// A rule that only changes trigger is expected as often as one with the longest frequency.
const LONGEST_FREQUENCY: TimeDelta = TimeDelta::hours(24);

/// AWS's words about a failed evaluation, in bytes.
const LONGEST_ERROR: usize = 200;

/// Whether an account is covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// AWS Config evaluated the rule in time, or the rule is so new that it is not due yet.
    Evaluated,
    /// The last evaluation is older than the rule's frequency and six hours.
    Overdue,
    /// AWS Config gives no status of the rule's evaluations. Its API reference says so of custom Lambda rules, though its console shows
    /// the time.
    Unknown,
    /// No rule of the account invokes the function.
    NoRule,
    /// The account could not be read.
    Unreachable,
}

/// What is known of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Twelve digits.
    pub account: String,
    /// The name that AWS Organizations has for it, if it was asked.
    pub name: Option<String>,
    /// Whether it is covered.
    pub state: State,
    /// The name of the rule.
    pub rule: Option<String>,
    /// The names of further rules that invoke the function: then AWS Config reports everything twice.
    pub other_rules: Vec<String>,
    /// The parameters of each rule that invokes the function.
    pub parameters: Vec<RuleParameters>,
    /// When AWS Config last evaluated the rule successfully.
    pub last_evaluated: Option<DateTime<Utc>>,
    /// Why it is not covered.
    pub why: Option<String>,
}

/// What AWS Config passes to the function for a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleParameters {
    /// The name of the rule.
    pub rule: String,
    /// `InputParameters`, as AWS Config has it.
    pub text: Option<String>,
}

impl State {
    /// A word or two for it.
    pub fn name(self) -> &'static str {
        match self {
            State::Evaluated => "evaluated",
            State::Overdue => "overdue",
            State::Unknown => "unknown",
            State::NoRule => "no rule",
            State::Unreachable => "unreachable",
        }
    }
}

impl Coverage {
    /// An account that could not be read, and why.
    pub fn unreachable(account: String, name: Option<String>, why: String) -> Coverage {
        Coverage::without_rule(account, name, State::Unreachable, why)
    }

    fn without_rule(account: String, name: Option<String>, state: State, why: String) -> Coverage {
        Coverage {
            account,
            name,
            state,
            rule: None,
            other_rules: Vec::new(),
            parameters: Vec::new(),
            last_evaluated: None,
            why: Some(why),
        }
    }

    /// Reads an account, which is unreachable if it cannot be read.
    pub async fn read(account: &Account<'_>, name: Option<String>, function: &str, now: DateTime<Utc>) -> Coverage {
        match read(account, name.clone(), function, now).await {
            Ok(coverage) => coverage,
            Err(error) => Coverage::unreachable(account.id.clone(), name, account.error(&error).to_string()),
        }
    }

    /// The names of all rules that invoke the function, if there is more than one.
    pub fn several_rules(&self) -> Option<String> {
        several_rules(self.rule.as_deref(), &self.other_rules)
    }

    /// Whether AWS Config evaluated the rule in time.
    pub fn is_covered(&self) -> bool {
        self.state == State::Evaluated
    }
}

/// For example `2 rules invoke the function: A, B`.
pub fn several_rules(rule: Option<&str>, others: &[String]) -> Option<String> {
    let names: Vec<_> = rule.into_iter().chain(others.iter().map(String::as_str)).collect();
    (names.len() > 1).then(|| format!("{} rules invoke the function: {}", names.len(), names.join(", ")))
}

/// Reads when AWS Config last evaluated the rule in an account. `function` is the ARN of the rule's function, without a qualifier. `now`
/// decides what is in time.
///
/// # Errors
/// The call that failed: nothing is known of coverage then.
pub async fn read(
    account: &Account<'_>,
    name: Option<String>,
    function: &str,
    now: DateTime<Utc>,
) -> Result<Coverage, CallError> {
    Ok(evaluate(account.id.clone(), name, rules(account, function).await?, function, now))
}

async fn rules(account: &Account<'_>, function: &str) -> Result<Vec<(Rule, EvaluationStatus)>, CallError> {
    let mut rules = Vec::new();
    for rule in rules_that_invoke(account, |arn| is_function(arn, function)).await? {
        match evaluation_status(account, &rule.name).await {
            Ok(status) => rules.push((rule, status)),
            // Deleted meanwhile.
            Err(error) if error.code == "NoSuchConfigRuleException" => {}
            Err(error) => return Err(error),
        }
    }
    Ok(rules)
}

/// Whether it is the ARN of this function, with or without a qualifier, which is a version or an alias. Another account or Region may
/// have a function of the same name.
pub fn is_function(arn: &str, function: &str) -> bool {
    let qualifier = |rest: &str| rest.strip_prefix(':').is_some_and(|qualifier| !qualifier.contains(':'));
    arn.strip_prefix(function).is_some_and(|rest| rest.is_empty() || qualifier(rest))
}

/// The function of an ARN in words, which a page can break: `NAME of account A in R`.
pub fn in_words(function: &str) -> String {
    match function.split(':').collect::<Vec<_>>()[..] {
        [_, _, _, region, account, _, name] => format!("{name} of account {account} in {region}"),
        _ => function.to_owned(),
    }
}

/// Goes by the rule that was evaluated last: an account may have another beside the pack's.
fn evaluate(
    account: String,
    name: Option<String>,
    mut rules: Vec<(Rule, EvaluationStatus)>,
    function: &str,
    now: DateTime<Utc>,
) -> Coverage {
    let parameters = |(rule, _): &(Rule, _)| RuleParameters { rule: rule.name.clone(), text: rule.parameters.clone() };
    let parameters = rules.iter().map(parameters).collect();
    rules.sort_by_key(|(_, status)| status.last_success);
    let Some((rule, status)) = rules.pop() else {
        let why = format!("no rule of AWS Config invokes {}", in_words(function));
        return Coverage::without_rule(account, name, State::NoRule, why);
    };
    let other_rules = rules.into_iter().map(|(rule, _)| rule.name).collect();
    if status == EvaluationStatus::default() {
        let why = Some("AWS Config gives no evaluation status for the rule".to_owned());
        let (state, rule) = (State::Unknown, Some(rule.name));
        return Coverage { account, name, state, rule, other_rules, parameters, last_evaluated: None, why };
    }
    let allowed = rule.frequency.unwrap_or(LONGEST_FREQUENCY) + MARGIN;
    let since = status.last_success.or(status.first_activated);
    let in_time = since.is_some_and(|since| now - since <= allowed);
    let error = status.last_error.map(|error| format!("; the last error: {}", fit(&ascii(&error), LONGEST_ERROR)));
    let error = error.unwrap_or_default();
    let why = match (status.last_success, status.first_activated) {
        (Some(at), _) => format!("last evaluated on {}{error}", seconds(at)),
        (None, Some(at)) => format!("never evaluated since {}{error}", seconds(at)),
        (None, None) => format!("never evaluated{error}"),
    };
    Coverage {
        account,
        name,
        state: if in_time { State::Evaluated } else { State::Overdue },
        rule: Some(rule.name),
        other_rules,
        parameters,
        last_evaluated: status.last_success,
        why: (!in_time).then_some(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FUNCTION: &str = "arn:aws:lambda:eu-central-1:111122223333:function:access-key-rotation";

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    /// The state of an account whose rules have a frequency, were activated and last evaluated so many minutes ago.
    fn state(rules: &[(Option<i64>, Option<i64>, Option<i64>)]) -> (State, Option<String>) {
        let ago = |minutes: Option<i64>| minutes.map(|minutes| now() - TimeDelta::minutes(minutes));
        let rules = rules.iter().map(|(hours, activated, evaluated)| {
            let rule = Rule { name: "rule".to_owned(), frequency: hours.map(TimeDelta::hours), parameters: None };
            let status = EvaluationStatus {
                last_success: ago(*evaluated),
                first_activated: ago(*activated),
                last_error: Some("Denied: no".to_owned()),
            };
            (rule, status)
        });
        let coverage = evaluate("111122223333".to_owned(), None, rules.collect(), FUNCTION, now());
        (coverage.state, coverage.why)
    }

    #[test]
    fn an_evaluation_is_in_time_within_the_frequency_and_six_hours() {
        const HOUR: i64 = 60;
        for (frequency, ago, expected) in [
            (Some(24), 30 * HOUR, State::Evaluated),
            (Some(24), 30 * HOUR + 1, State::Overdue),
            (Some(1), 7 * HOUR, State::Evaluated),
            (Some(1), 7 * HOUR + 1, State::Overdue),
            (None, 30 * HOUR, State::Evaluated),
            (None, 30 * HOUR + 1, State::Overdue),
        ] {
            assert_eq!(state(&[(frequency, Some(90_000), Some(ago))]).0, expected, "{frequency:?} {ago}");
            assert_eq!(state(&[(frequency, Some(ago), None)]).0, expected, "never evaluated: {frequency:?} {ago}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let (kind, why) = state(&[(Some(24), Some(90_000), Some(80_000))]);
        assert_eq!(kind, State::Overdue);
        assert_eq!(why.unwrap(), "last evaluated on 2026-01-04T22:40:00Z; the last error: Denied: no");
        let (kind, why) = state(&[(Some(24), None, None)]);
        assert_eq!((kind, why.unwrap().as_str()), (State::Overdue, "never evaluated; the last error: Denied: no"));
        assert_eq!(state(&[]).0, State::NoRule);
        let rule = Rule { name: "rule".to_owned(), frequency: None, parameters: None };
        let without_status = evaluate(String::new(), None, vec![(rule, EvaluationStatus::default())], FUNCTION, now());
        assert_eq!(without_status.state, State::Unknown);
    }

    #[test]
    fn of_two_rules_the_one_that_was_evaluated_last_counts_and_both_are_named() {
        let rule = |name: &str, ago| {
            let last_success = Some(now() - TimeDelta::minutes(ago));
            (
                Rule { name: name.to_owned(), frequency: None, parameters: None },
                EvaluationStatus { last_success, ..Default::default() },
            )
        };
        let of = |rules| evaluate("111122223333".to_owned(), None, rules, FUNCTION, now());
        let coverage = of(vec![rule("new", 60), rule("old", 90_000)]);
        assert_eq!(
            (coverage.state, coverage.rule.as_deref(), coverage.why.as_deref()),
            (State::Evaluated, Some("new"), None)
        );
        assert_eq!(coverage.several_rules().unwrap(), "2 rules invoke the function: new, old");
        assert_eq!(of(vec![rule("new", 60)]).several_rules(), None);
        assert_eq!(of(Vec::new()).several_rules(), None);
    }

    #[test]
    fn a_rules_function_is_known_by_its_whole_arn() {
        for (arn, expected) in [
            (FUNCTION.to_owned(), true),
            (format!("{FUNCTION}:7"), true),
            (format!("{FUNCTION}:$LATEST"), true),
            (format!("{FUNCTION}:live"), true),
            (format!("{FUNCTION}:live:7"), false),
            (format!("{FUNCTION}-coverage"), false),
            (FUNCTION.replace("111122223333", "210987654321"), false),
            (FUNCTION.replace("eu-central-1", "eu-west-1"), false),
            (FUNCTION.replace("arn:aws:", "arn:aws-cn:"), false),
            ("access-key-rotation".to_owned(), false),
            ("ACCESS_KEYS_ROTATED".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_function(&arn, FUNCTION), expected, "{arn}");
        }
    }
}
