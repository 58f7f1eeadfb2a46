//! What the rule reports to AWS Config about a resource.

use crate::annotation;
use serde::{Deserialize, Serialize};

/// The values of `ComplianceType` that `PutEvaluations` accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compliance {
    /// No stale key, or an exemption for each.
    Compliant,
    /// A stale key and no valid exemption.
    NonCompliant,
    /// The user is gone, or the rule does not evaluate this resource.
    NotApplicable,
}

impl Compliance {
    /// AWS Config's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Compliance::Compliant => "COMPLIANT",
            Compliance::NonCompliant => "NON_COMPLIANT",
            Compliance::NotApplicable => "NOT_APPLICABLE",
        }
    }
}

/// What the rule reports to AWS Config about one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The result.
    pub compliance: Compliance,
    /// 1 to 256 printable ASCII characters, most important first. Only `NOT_APPLICABLE` has none.
    pub annotation: Option<String>,
}

impl Verdict {
    /// For a user who is gone or out of the rule's scope.
    pub fn not_applicable() -> Verdict {
        Verdict { compliance: Compliance::NotApplicable, annotation: None }
    }

    pub(crate) fn compliant(annotation: String) -> Verdict {
        Verdict { compliance: Compliance::Compliant, annotation: Some(annotation) }
    }

    /// Adds to the annotation that a notice that is due has not been sent. AWS Config keeps it, so that the next evaluation sends it.
    pub fn notice_not_sent(&mut self) {
        let annotation = self.annotation.take().unwrap_or_default();
        self.annotation = Some(annotation::with_notice_not_sent(&annotation));
    }
}
