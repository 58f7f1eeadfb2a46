//! How the parameters of a scan differ from those of the rule in AWS Config.

use access_key_rotation::coverage::account::RuleParameters;
use policy::parameters::Parameters;

/// The differences of all rules of an account that invoke the function, in words; `None` if there is no such rule.
pub(crate) fn differences(here: &Parameters, rules: &[RuleParameters]) -> Option<Vec<String>> {
    if rules.is_empty() {
        return None;
    }
    let differences = rules.iter().flat_map(|RuleParameters { rule, text }| match Parameters::parse(text.as_deref()) {
        Err(why) => vec![format!("{rule}: {}", why.to_string().trim_end_matches('.'))],
        Ok(there) => {
            let pairs = verdict(here).into_iter().zip(verdict(&there));
            let pairs = pairs.filter(|(here, there)| here != there);
            pairs.map(|((name, here), (_, there))| format!("{rule}: {name} is {there}, not {here}")).collect()
        }
    });
    Some(differences.collect())
}

/// The parameters that decide a verdict or its words.
fn verdict(parameters: &Parameters) -> [(&'static str, u16); 3] {
    let Parameters { max_access_key_age, warn_before_days, max_exemption_days, deliver: _ } = *parameters;
    [
        ("maxAccessKeyAge", max_access_key_age),
        ("warnBeforeDays", warn_before_days),
        ("maxExemptionDays", max_exemption_days),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_differs_in_what_a_verdict_rests_on_and_without_a_rule_nothing_is_known() {
        let rules = |texts: &[Option<&str>]| -> Vec<_> {
            let rule = |(n, text): (usize, &Option<&str>)| RuleParameters {
                rule: format!("rule-{n}"),
                text: text.map(str::to_owned),
            };
            texts.iter().enumerate().map(rule).collect()
        };
        let here = Parameters::default();
        for same in
            [None, Some(""), Some("{}"), Some(r#"{"MAXACCESSKEYAGE":"90","deliver":"all","warnBeforeDays":""}"#)]
        {
            assert_eq!(differences(&here, &rules(&[same])), Some(Vec::new()), "{same:?}");
        }
        assert_eq!(differences(&here, &[]), None);
        let other = r#"{"maxAccessKeyAge":"120","warnBeforeDays":"7","maxExemptionDays":"30"}"#;
        let found = differences(&here, &rules(&[Some("{}"), Some(other), Some("[]")])).unwrap();
        assert_eq!(
            found,
            [
                "rule-1: maxAccessKeyAge is 120, not 90",
                "rule-1: warnBeforeDays is 7, not 14",
                "rule-1: maxExemptionDays is 30, not 365",
                "rule-2: ruleParameters is not a JSON object. Correct the rule's parameters; nothing was evaluated",
            ]
        );
    }
}
