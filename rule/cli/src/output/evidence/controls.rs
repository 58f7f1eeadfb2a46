//! The control in several standards, and the source of each number.
//!
//! Looked up in November 2026. The benchmarks themselves need a login and were not read.

use serde::Serialize;

/// A control that asks for the rotation of access keys.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Control {
    pub(crate) standard: &'static str,
    pub(crate) control: &'static str,
    /// Its title, or how it relates to another control.
    pub(crate) text: &'static str,
    /// Who says so.
    pub(crate) source: &'static str,
    /// Where.
    pub(crate) address: &'static str,
}

/// The limit in the controls, in days.
pub(crate) const LIMIT: u16 = 90;

/// Under "Related requirements".
const SECURITY_HUB: &str = "AWS Security Hub User Guide, IAM controls, IAM.3";
const SECURITY_HUB_ADDRESS: &str = "https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-3";
const OLDER: &str = "The same control in an older version";
const MAPPED: &str = "AWS maps IAM.3 to it";

/// The newest version of each standard comes first.
pub(crate) const CONTROLS: [Control; 14] = [
    Control {
        standard: "CIS AWS Foundations Benchmark 7.0.0",
        control: "2.12",
        text: "Ensure access keys are rotated every 90 days or less",
        source: "Tenable's audit file for CIS 7.0.0 Level 1",
        address: "https://www.tenable.com/audits/items/CIS_Amazon_Web_Services_Foundations_v7.0.0_L1.audit:eac7dffb1e4bf37ac60384a3ae553903",
    },
    Control {
        standard: "CIS AWS Foundations Benchmark 6.0.0",
        control: "2.13",
        text: OLDER,
        source: "Prowler 5.46.0, compliance file for CIS 6.0",
        address: "https://github.com/prowler-cloud/prowler/blob/5.46.0/prowler/compliance/aws/cis_6.0_aws.json",
    },
    Control {
        standard: "CIS AWS Foundations Benchmark 5.0.0",
        control: "1.13",
        text: OLDER,
        source: SECURITY_HUB,
        address: SECURITY_HUB_ADDRESS,
    },
    Control {
        standard: "CIS AWS Foundations Benchmark 1.4.0 to 4.0.1",
        control: "1.14",
        text: OLDER,
        source: "AWS Security Hub User Guide (1.4.0, 3.0.0), Tenable's audit files (1.5.0, 4.0.1), Prowler 5.46.0 (2.0.0)",
        address: SECURITY_HUB_ADDRESS,
    },
    Control {
        standard: "CIS AWS Foundations Benchmark 1.2.0",
        control: "1.4",
        text: OLDER,
        source: SECURITY_HUB,
        address: SECURITY_HUB_ADDRESS,
    },
    Control {
        standard: "Common Configuration Enumeration",
        control: "CCE-78902-4",
        text: "The reference of control 1.4 in CIS AWS Foundations Benchmark 1.1.0",
        source: "MITRE's InSpec profile for CIS 1.1.0",
        address: "https://github.com/mitre/aws-foundations-cis-baseline/blob/9409f7a3a87337961db371a101929f569e981972/controls/cis-aws-foundations-1.4.rb",
    },
    Control {
        standard: "AWS Foundational Security Best Practices",
        control: "IAM.3",
        text: "IAM users' access keys should be rotated every 90 days or less",
        source: SECURITY_HUB,
        address: SECURITY_HUB_ADDRESS,
    },
    Control {
        standard: "NIST SP 800-53 Revision 5",
        control: "AC-2(1)",
        text: MAPPED,
        source: SECURITY_HUB,
        address: SECURITY_HUB_ADDRESS,
    },
    Control {
        standard: "NIST SP 800-53 Revision 5",
        control: "AC-2(3)",
        text: MAPPED,
        source: SECURITY_HUB,
        address: SECURITY_HUB_ADDRESS,
    },
    Control {
        standard: "NIST SP 800-53 Revision 5",
        control: "AC-3(15)",
        text: MAPPED,
        source: SECURITY_HUB,
        address: SECURITY_HUB_ADDRESS,
    },
    Control {
        standard: "PCI DSS 4.0.1",
        control: "8.3.9",
        text: MAPPED,
        source: SECURITY_HUB,
        address: SECURITY_HUB_ADDRESS,
    },
    Control {
        standard: "PCI DSS 4.0.1",
        control: "8.6.3",
        text: MAPPED,
        source: SECURITY_HUB,
        address: SECURITY_HUB_ADDRESS,
    },
    Control {
        standard: "ISO/IEC 27001:2022",
        control: "A.5.15",
        text: "Prowler maps its check for keys older than 90 days to it",
        source: "Prowler, compliance file for ISO 27001:2022",
        address: "https://github.com/prowler-cloud/prowler/blob/3e000faa3109230b748e4418a13c11c9e59f5cfb/prowler/compliance/aws/iso27001_2022_aws.json",
    },
    Control {
        standard: "SOC 2, Trust Services Criteria",
        control: "CC6.1",
        text: "Turbot maps its check for keys older than 90 days to it",
        source: "Turbot's AWS Compliance mod, SOC 2",
        address: "https://github.com/turbot/steampipe-mod-aws-compliance/blob/0a1eaab4f042e932c6ac32cf4140e9b8c59a8712/soc_2/cc_6.pp",
    },
];
