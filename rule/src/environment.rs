//! The environment variables that the function reads.

/// The role that the function assumes in other accounts.
pub const EVALUATION_ROLE_NAME: &str = "EVALUATION_ROLE_NAME";
/// The name of the function whose rules the coverage check looks for.
pub const RULE_FUNCTION_NAME: &str = "RULE_FUNCTION_NAME";
/// The accounts that the coverage check leaves out.
pub const EXCLUDED_ACCOUNTS: &str = "EXCLUDED_ACCOUNTS";
/// The bus for notices.
pub const EVENT_BUS_NAME: &str = "EVENT_BUS_NAME";
/// The users who may be shielded.
pub const KNOWN_SHIELDED_USERS: &str = "KNOWN_SHIELDED_USERS";
/// The tag that names a user's owner in notices.
pub const OWNER_TAG: &str = "OWNER_TAG";
/// Lambda's own: the format of the log.
pub const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";
/// Lambda's own: the level of the log.
pub const LOG_LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// Each variable, and what it is for, for the manual.
pub const VARIABLES: [(&str, &str); 8] = [
    (
        EVALUATION_ROLE_NAME,
        "the role that the function assumes in other accounts, with its path if it has one (`/security/NAME`); if it is not set, the \
         function evaluates only its own account",
    ),
    (
        RULE_FUNCTION_NAME,
        "for the coverage check: the name of the function that the rules invoke, in the check's own account and Region",
    ),
    (EXCLUDED_ACCOUNTS, "for the coverage check: accounts to leave out, separated by commas"),
    (
        EVENT_BUS_NAME,
        "the EventBridge bus, by name or ARN, on which the function puts [notices](../templates/NOTICES.md); if it is not set, it puts none",
    ),
    (
        KNOWN_SHIELDED_USERS,
        "ids of users whom a policy may [shield](#permissions), separated by commas; while it does, they do not count as unknown",
    ),
    (OWNER_TAG, "the tag of a user that names the owner in notices; `owner` by default"),
    (LOG_FORMAT, "Lambda's logging control: `JSON` by default, or `TEXT`"),
    (LOG_LEVEL, "Lambda's logging control: `INFO` by default"),
];
