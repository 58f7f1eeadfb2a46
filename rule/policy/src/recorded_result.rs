//! The result that AWS Config recorded for a user. It spares the sweep a read, and says which notices were sent.

use crate::{
    annotation::is_notice_not_sent,
    parameters::Deliver,
    verdict::{Compliance, Verdict},
};
use chrono::{DateTime, Utc};

/// A result for a user: `COMPLIANT` or `NON_COMPLIANT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedResult {
    /// `ResourceId`, `AIDA…`.
    pub user_id: String,
    /// `ComplianceType`
    pub compliance: Compliance,
    /// `Annotation`; empty if there is none.
    pub annotation: String,
    /// `ResultRecordedTime`
    pub recorded: Option<DateTime<Utc>>,
    /// `ConfigRuleInvokedTime`: when AWS Config sent the event. The result may be recorded on a later day.
    pub invoked: Option<DateTime<Utc>>,
}

impl RecordedResult {
    /// When notices were last sent: an evaluation that sends one also delivers a result. It counts by the time of the event, since
    /// the result of a sweep before midnight may be recorded after it. `None` if the result says that a notice was not sent.
    pub fn notified_at(&self) -> Option<DateTime<Utc>> {
        if is_notice_not_sent(&self.annotation) {
            return None;
        }
        self.invoked.or(self.recorded)
    }
}

/// Whether to deliver a verdict. With [`Deliver::Changes`]: every violation, and every verdict that differs, word for word, from the
/// recorded result.
pub fn is_to_deliver(verdict: &Verdict, recorded: Option<&RecordedResult>, deliver: Deliver) -> bool {
    match (verdict.compliance, recorded) {
        _ if deliver == Deliver::All => true,
        (Compliance::NonCompliant, _) => true,
        (Compliance::NotApplicable, recorded) => recorded.is_some(),
        (Compliance::Compliant, None) => true,
        (Compliance::Compliant, Some(recorded)) => {
            recorded.compliance != Compliance::Compliant || Some(&recorded.annotation) != verdict.annotation.as_ref()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(compliance: Compliance, annotation: &str) -> RecordedResult {
        RecordedResult {
            user_id: "AIDABOT".to_owned(),
            compliance,
            annotation: annotation.to_owned(),
            recorded: None,
            invoked: None,
        }
    }

    #[test]
    fn every_violation_is_delivered_and_every_other_result_that_differs() {
        use Compliance::{Compliant, NonCompliant};
        let verdict = |compliance| Verdict { compliance, annotation: Some("fine".to_owned()) };
        for (what, recorded, verdict, delivered) in [
            ("the same violation", Some(recorded(NonCompliant, "fine")), verdict(NonCompliant), true),
            ("a new violation", Some(recorded(Compliant, "fine")), verdict(NonCompliant), true),
            ("the same words", Some(recorded(Compliant, "fine")), verdict(Compliant), false),
            ("other words", Some(recorded(Compliant, "fine.")), verdict(Compliant), true),
            ("no words before", Some(recorded(Compliant, "")), verdict(Compliant), true),
            ("compliant now, in the same words", Some(recorded(NonCompliant, "fine")), verdict(Compliant), true),
            ("a new user", None, verdict(Compliant), true),
            ("a user who is gone", Some(recorded(Compliant, "fine")), Verdict::not_applicable(), true),
            ("a user who is gone, and had no result", None, Verdict::not_applicable(), false),
        ] {
            assert_eq!(is_to_deliver(&verdict, recorded.as_ref(), Deliver::Changes), delivered, "{what}");
            assert!(is_to_deliver(&verdict, recorded.as_ref(), Deliver::All), "{what}");
        }
    }
}
