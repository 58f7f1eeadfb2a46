//! The rules of an account that invoke the function, and when AWS Config last evaluated them.

use crate::aws::{account::Account, client::CallError, client::Pages};
use aws_sdk_config::types::{ConfigRule, ConfigRuleEvaluationStatus, ConfigRuleState, MaximumExecutionFrequency};
use chrono::{DateTime, TimeDelta, Utc};

const RULES: &str = "config:DescribeConfigRules";
const STATUSES: &str = "config:DescribeConfigRuleEvaluationStatus";

/// A rule that invokes the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name. A conformance pack adds a suffix to the name in its template.
    pub name: String,
    /// The time between two scheduled evaluations; `None` if there is no schedule.
    pub frequency: Option<TimeDelta>,
    /// `InputParameters`: JSON in a text.
    pub parameters: Option<String>,
}

/// `ConfigRuleEvaluationStatus`, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvaluationStatus {
    /// `LastSuccessfulEvaluationTime`: an empty `PutEvaluations` counts, too.
    pub last_success: Option<DateTime<Utc>>,
    /// `FirstActivatedTime`: when the rule began to be evaluated.
    pub first_activated: Option<DateTime<Utc>>,
    /// `LastErrorCode` and `LastErrorMessage` of the last evaluation that failed.
    pub last_error: Option<String>,
}

/// The account's rules whose Lambda function has an ARN that `is_ours`, without those that AWS Config is deleting.
pub async fn rules_that_invoke(account: &Account<'_>, is_ours: impl Fn(&str) -> bool) -> Result<Vec<Rule>, CallError> {
    let mut rules = Vec::new();
    let mut pages = Pages::of(RULES);
    while pages.more() {
        let request = account.config.describe_config_rules().set_next_token(pages.next());
        let page = account.calls.call(RULES, account.ends.reads, || request.clone().send()).await?;
        let is_ours = |rule: &ConfigRule| function(rule).is_some_and(&is_ours) && !is_leaving(rule);
        let ours = page.config_rules.unwrap_or_default().into_iter().filter(is_ours);
        rules.extend(ours.filter_map(|rule| {
            let frequency = frequency(&rule);
            Some(Rule { name: rule.config_rule_name?, frequency, parameters: rule.input_parameters })
        }));
        pages.turn(page.next_token)?;
    }
    Ok(rules)
}

fn function(rule: &ConfigRule) -> Option<&str> {
    rule.source.as_ref()?.source_identifier.as_deref()
}

/// AWS Config evaluates it no more.
fn is_leaving(rule: &ConfigRule) -> bool {
    rule.config_rule_state == Some(ConfigRuleState::Deleting)
}

/// A custom rule has its frequency in `SourceDetails`.
fn frequency(rule: &ConfigRule) -> Option<TimeDelta> {
    let details = rule.source.iter().flat_map(|source| source.source_details.iter().flatten());
    let given = details.filter_map(|detail| detail.maximum_execution_frequency.as_ref());
    let hours = given.chain(&rule.maximum_execution_frequency).map(|frequency| match frequency {
        MaximumExecutionFrequency::OneHour => 1,
        MaximumExecutionFrequency::ThreeHours => 3,
        MaximumExecutionFrequency::SixHours => 6,
        MaximumExecutionFrequency::TwelveHours => 12,
        // The longest there is, and what a frequency that is not known yet is taken for.
        _ => 24,
    });
    hours.min().map(TimeDelta::hours)
}

/// When AWS Config last evaluated a rule. A rule that it does not know any more has no status.
pub async fn evaluation_status(account: &Account<'_>, rule: &str) -> Result<EvaluationStatus, CallError> {
    let request = account.config.describe_config_rule_evaluation_status().config_rule_names(rule);
    let answer = account.calls.call(STATUSES, account.ends.reads, || request.clone().send()).await?;
    let status = answer.config_rules_evaluation_status.unwrap_or_default().into_iter().next();
    Ok(status.map(decode).unwrap_or_default())
}

fn decode(status: ConfigRuleEvaluationStatus) -> EvaluationStatus {
    let time = |time: aws_sdk_config::primitives::DateTime| DateTime::from_timestamp(time.secs(), time.subsec_nanos());
    let error = [status.last_error_code, status.last_error_message];
    let error: Vec<_> = error.into_iter().flatten().filter(|text| !text.is_empty()).collect();
    EvaluationStatus {
        last_success: status.last_successful_evaluation_time.and_then(time),
        first_activated: status.first_activated_time.and_then(time),
        last_error: (!error.is_empty()).then(|| error.join(": ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_config::types::{Owner, Source, SourceDetail};

    fn hours(of_the_schedules: &[&str], of_the_rule: Option<&str>) -> Option<i64> {
        let schedules = of_the_schedules.iter().map(|frequency| {
            SourceDetail::builder().maximum_execution_frequency(MaximumExecutionFrequency::from(*frequency)).build()
        });
        let source = Source::builder().owner(Owner::CustomLambda).set_source_details(Some(schedules.collect()));
        let rule = ConfigRule::builder()
            .source(source.build().unwrap())
            .set_maximum_execution_frequency(of_the_rule.map(MaximumExecutionFrequency::from))
            .build();
        frequency(&rule).map(|frequency| frequency.num_hours())
    }

    #[test]
    fn a_rule_is_evaluated_as_often_as_its_most_frequent_schedule() {
        for (frequency, expected) in [
            ("One_Hour", 1),
            ("Three_Hours", 3),
            ("Six_Hours", 6),
            ("Twelve_Hours", 12),
            ("TwentyFour_Hours", 24),
            ("One_that_is_new", 24),
        ] {
            assert_eq!(hours(&[frequency], None), Some(expected), "{frequency}");
            assert_eq!(hours(&[], Some(frequency)), Some(expected), "{frequency}");
        }
        assert_eq!(hours(&["TwentyFour_Hours", "Three_Hours"], Some("Six_Hours")), Some(3));
        assert_eq!(hours(&[], None), None, "on changes only");
    }

    #[test]
    fn a_rule_that_aws_config_is_deleting_is_none() {
        for (state, expected) in [
            (None, false),
            (Some("ACTIVE"), false),
            (Some("EVALUATING"), false),
            (Some("DELETING"), true),
            // AWS Config deletes the results, on request, and keeps the rule.
            (Some("DELETING_RESULTS"), false),
            (Some("A_NEW_ONE"), false),
        ] {
            let source = Source::builder().owner(Owner::CustomLambda).build().unwrap();
            let rule = ConfigRule::builder().source(source).set_config_rule_state(state.map(ConfigRuleState::from));
            assert_eq!(is_leaving(&rule.build()), expected, "{state:?}");
        }
    }

    #[test]
    fn an_error_has_a_code_or_a_message_or_both() {
        for (code, message, expected) in [
            (None, None, None),
            (Some(""), Some(""), None),
            (Some("AccessDenied"), None, Some("AccessDenied")),
            (Some(""), Some("It failed."), Some("It failed.")),
            (Some("AccessDenied"), Some("It failed."), Some("AccessDenied: It failed.")),
        ] {
            let status = ConfigRuleEvaluationStatus::builder()
                .set_last_error_code(code.map(str::to_owned))
                .set_last_error_message(message.map(str::to_owned));
            assert_eq!(decode(status.build()).last_error.as_deref(), expected);
        }
    }
}
