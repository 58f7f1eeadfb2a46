//! The fields of JSON and the columns of CSV, for the manual. `tests/e2e/reference.rs` includes this file: it writes the tables of
//! `rule/cli/README.md`, and `tests/e2e/fields.rs` compares the names with what the commands write.

/// The fields of an object, or the columns of CSV.
pub(crate) struct Object {
    /// The command and the format.
    pub(crate) output: &'static str,
    /// The field that has the object, or the objects. Empty: the document itself.
    pub(crate) within: &'static str,
    /// Name, type and meaning of each.
    pub(crate) fields: &'static [(&'static str, &'static str, &'static str)],
}

pub(crate) const OBJECTS: &[Object] = &[
    Object {
        output: "scan --format json",
        within: "",
        fields: &[
            ("scannedAt", "time", "when the scan started; with `--as-of`, that time"),
            ("maxAccessKeyAge", "number", "the limit, in days"),
            ("warnBeforeDays", "number", "how many days ahead a key counts as due soon"),
            ("quietDays", "number", "a key is in use if it was used within this number of days"),
            ("graceDays", "number", "how many days after its deactivation a runbook may delete a key"),
            ("credentialReport", "boolean", "whether the scan evaluated credential reports"),
            ("accounts", "list", "the accounts, by id"),
            (
                "leftOut",
                "list",
                "with `--organization`, the accounts that it leaves out; each has `account`, `name` and `why`: `excluded`, or its state",
            ),
            ("since", "object, optional", "with `--since`, the comparison with the earlier scan"),
            ("users", "list", "every user that was evaluated, the most urgent first, one on each line"),
        ],
    },
    Object {
        output: "scan --format json",
        within: "accounts",
        fields: &[
            ("account", "text", "the account id"),
            ("name", "text or null", "the account's name in AWS Organizations, with `--organization`"),
            ("usersEvaluated", "number", "users with a verdict"),
            ("usersNonCompliant", "number", "users in violation"),
            (
                "usersExempt",
                "number or null",
                "users who are compliant because of an exemption; null for a credential report",
            ),
            ("oldInactiveKeys", "number", "keys of all users that are older than the limit, but not active"),
            (
                "rootAccessKeys",
                "list or null",
                "the root user's access keys, with the fields of `accessKeys`; null if they were not read, as in a scan of AWS",
            ),
            (
                "recordsError",
                "text or null",
                "why the runbooks' records are unknown; null if they were read, and for a credential report",
            ),
            ("error", "text or null", "what is missing and why; null if the account is complete"),
        ],
    },
    Object {
        output: "scan --format json",
        within: "users",
        fields: &[
            ("account", "text", "the account id"),
            ("userName", "text", "the user's name"),
            ("userId", "text or null", "the unique id, `AIDA…`; null for a credential report"),
            ("arn", "text", "the user's ARN"),
            ("compliance", "text", "`COMPLIANT` or `NON_COMPLIANT`"),
            (
                "annotation",
                "text or null",
                "the rule's [annotation](../README.md#annotations), without the user's name; null for a credential report if there is nothing to do",
            ),
            (
                "exempt",
                "boolean or null",
                "whether an exemption makes the user compliant; null for a violation in a credential report",
            ),
            ("dueSoon", "boolean", "whether a key of a compliant user is due within `warnBeforeDays`"),
            (
                "production",
                "boolean or null",
                "whether the user has the production tag; null if no key is stale, since the tags are then not read",
            ),
            (
                "inUse",
                "boolean or null",
                "whether a stale key was used within `quietDays`; null if no key is stale or the last use is unknown",
            ),
            ("owner", "text or null", "the value of the owner tag; null if there is none, or the tags were not read"),
            ("violations", "list of text", "ids of the keys in violation, oldest first"),
            (
                "oldInactiveKeys",
                "list of text",
                "ids of the keys that are older than the limit, but not active, oldest first",
            ),
            (
                "since",
                "text, optional",
                "for a violation with `--since`: `new` if a key is newly in violation, `open` if all were before",
            ),
            ("accessKeys", "list", "all keys of the user"),
        ],
    },
    Object {
        output: "scan --format json",
        within: "accessKeys",
        fields: &[
            ("accessKeyId", "text", "the key id, `AKIA…`; `access key 1` or `access key 2` for a credential report"),
            (
                "description",
                "text or null",
                "the key's description; null if it has none, or the tags were not read, since no key is stale",
            ),
            ("status", "text", "`Active`, `Inactive` or `Expired`, as in IAM"),
            (
                "createDate",
                "time",
                "when the key was created; for a credential report, when it was created or last activated",
            ),
            ("ageDays", "number", "the age in whole days"),
            (
                "lastUsed",
                "object or null",
                "the last use; null if `scan` did not need it, since the key is not in violation, or could not read it",
            ),
            (
                "record",
                "object or null",
                "what the runbooks recorded of the key; null if there is no record, or `recordsError` says that they were not read",
            ),
        ],
    },
    Object {
        output: "scan --format json",
        within: "record",
        fields: &[
            ("state", "text", "`deactivating`, `deactivated`, `reactivating`, `reactivated` or `unreadable`"),
            ("since", "time or null", "when the key came into this state; null if the record is unreadable"),
            ("execution", "text or null", "the id of the runbook's execution; null if the record has none"),
            (
                "deletableFrom",
                "day or null",
                "the day from which a runbook may delete the key, such as `2026-03-31`; null if none may as things are",
            ),
        ],
    },
    Object {
        output: "scan --format json",
        within: "lastUsed",
        fields: &[
            ("date", "time or null", "when the key was last used; null if IAM has no use on record"),
            ("region", "text", "the Region of that use; `N/A` if there is none"),
            ("serviceName", "text", "the service of that use; `N/A` if there is none"),
        ],
    },
    Object {
        output: "scan --format json",
        within: "since",
        fields: &[
            ("scannedAt", "time", "when the earlier scan was made"),
            ("fixed", "list of keys", "in violation before; rotated, deactivated or deleted now"),
            ("exempt", "list of keys", "in violation before, and exempt now"),
            ("new", "list of keys", "in violation now, but not before"),
            ("open", "list of keys", "in violation before and now"),
            ("unknown", "list of keys", "in violation before, but not evaluated now"),
            (
                "newAccounts",
                "list of text",
                "accounts that the earlier scan did not cover completely, so what is new there may be old",
            ),
        ],
    },
    Object {
        output: "scan --format csv",
        within: "",
        fields: &[
            ("account", "text", "`account` in JSON"),
            ("user", "text", "`userName` in JSON"),
            ("user_id", "text", "`userId` in JSON"),
            ("compliance", "text", "`compliance` in JSON"),
            ("exempt", "`true`, `false` or empty", "`exempt` in JSON"),
            ("production", "`true`, `false` or empty", "`production` in JSON"),
            ("in_use", "`true`, `false` or empty", "`inUse` in JSON"),
            ("owner", "text", "`owner` in JSON"),
            ("violations", "text", "`violations` in JSON, separated by semicolons"),
            ("old_inactive_keys", "text", "`oldInactiveKeys` of the user in JSON, separated by semicolons"),
            ("description", "text", "id and `description` of each key that has one, separated by semicolons"),
            ("records", "text", "id, `state` and `since` of each key that has a record, separated by semicolons"),
            ("since", "`new`, `open` or empty", "`since` of the user in JSON"),
            ("annotation", "text", "`annotation` in JSON"),
        ],
    },
    Object {
        output: "doctor --format json",
        within: "",
        fields: &[
            ("checkedAt", "time", "when `doctor` started"),
            ("region", "text", "the Region that `doctor` checked"),
            ("currentAccount", "text", "the account of your credentials"),
            ("checks", "list", "the checks that are not about a single account"),
            ("accounts", "list", "the accounts, by id"),
            (
                "leftOut",
                "list",
                "with `--organization`, the accounts that it leaves out; each has `account`, `name` and `why`: `excluded`, or its state",
            ),
        ],
    },
    Object {
        output: "doctor --format json",
        within: "accounts",
        fields: &[
            ("account", "text", "the account id"),
            ("name", "text or null", "the account's name in AWS Organizations, with `--organization`"),
            ("checks", "list", "the checks in this account"),
        ],
    },
    Object {
        output: "doctor --format json",
        within: "checks",
        fields: &[
            ("check", "text", "what was checked, such as `permissions`, `runbooks` or `pack`"),
            ("of", "text, optional", "the part that was checked, such as an action or a document"),
            ("status", "text", "`ok`, `advice`, `failed`, `unknown` or `skipped`"),
            ("seen", "text", "what `doctor` found"),
            ("remedy", "text, optional", "what to do"),
        ],
    },
    Object {
        output: "coverage --format json",
        within: "",
        fields: &[
            ("checkedAt", "time", "when `coverage` started"),
            ("accounts", "list", "the accounts, by id"),
            (
                "leftOut",
                "list",
                "with `--organization`, the accounts that it leaves out; each has `account`, `name` and `why`: `excluded`, or its state",
            ),
        ],
    },
    Object {
        output: "coverage --format json",
        within: "accounts",
        fields: &[
            ("account", "text", "the account id"),
            ("name", "text or null", "the account's name in AWS Organizations, with `--organization`"),
            ("state", "text", "`evaluated`, `overdue`, `unknown`, `noRule` or `unreachable`"),
            (
                "rule",
                "text or null",
                "the name of the rule in AWS Config; null if there is none, or `coverage` could not read it",
            ),
            (
                "otherRules",
                "list",
                "the names of further rules that invoke the function; then AWS Config reports everything twice",
            ),
            (
                "lastEvaluated",
                "time or null",
                "when AWS Config last evaluated the rule successfully; null if never, or not read",
            ),
            ("why", "text or null", "why the account is not covered; null if it is"),
            (
                "users",
                "number, optional",
                "the IAM users; left out, as the next three, if there is no rule or they could not be counted",
            ),
            ("usersNonCompliant", "number, optional", "users whose result is `NON_COMPLIANT`"),
            ("usersExempt", "number, optional", "users whose result is `COMPLIANT` because of an exemption"),
            ("usersUnknown", "number, optional", "users without a result"),
            ("error", "text, optional", "why the users could not be counted"),
        ],
    },
    Object {
        output: "evidence --format json",
        within: "",
        fields: &[
            ("sha256", "text", "the SHA-256 of the other fields, in hexadecimal, as under [Evidence](#evidence)"),
            ("programVersion", "text", "the version of the program"),
            ("readBy", "text", "the ARN of the reader, from `sts:GetCallerIdentity`"),
            ("region", "text", "the Region in which `evidence` asked AWS Config"),
            (
                "organization",
                "boolean",
                "whether it covers the organization; if not, it covers only the accounts that the reader named",
            ),
            (
                "parameters",
                "object",
                "the rule's [parameters](../README.md#parameters) in this evaluation by name, as text, such as `maxExemptionDays`",
            ),
            ("controls", "list", "the control in several standards"),
            (
                "totals",
                "object",
                "the numbers below; those of users and exemptions are lower bounds if `accountsIncomplete` is not 0",
            ),
            (
                "exemptions",
                "list",
                "the users with exemption tags, with the fields of [`exempt --list`](#exempt---list---format-json)",
            ),
        ],
    },
    Object {
        output: "evidence --format json",
        within: "accounts",
        fields: &[(
            "coverage",
            "object, optional",
            "when AWS Config last evaluated the rule; left out if it could not be read",
        )],
    },
    Object {
        output: "evidence --format json",
        within: "coverage",
        fields: &[
            ("state", "text", "`evaluated`, `overdue`, `unknown` or `noRule`, as for [`coverage`](#coverage)"),
            ("rule", "text or null", "the name of the rule; null if no rule invokes the function"),
            ("otherRules", "list", "the names of further rules that invoke the function"),
            ("lastEvaluated", "time or null", "when AWS Config last evaluated the rule successfully"),
            ("why", "text or null", "why the account is not covered; null if it is"),
        ],
    },
    Object {
        output: "evidence --format json",
        within: "controls",
        fields: &[
            ("standard", "text", "the standard and its version"),
            ("control", "text", "the control's number"),
            ("text", "text", "the control's title, or how it relates to another control"),
            ("source", "text", "who says so"),
        ],
    },
    Object {
        output: "evidence --format json",
        within: "totals",
        fields: &[
            ("usersEvaluated", "number", "users with a verdict"),
            ("usersNonCompliant", "number", "users in violation"),
            ("usersExempt", "number", "users who are compliant because of an exemption"),
            ("usersDueSoon", "number", "compliant users with a key that is due within `warnBeforeDays`"),
            ("oldInactiveKeys", "number", "keys that are older than the limit, but not active"),
            ("exemptionsValid", "number", "users with a valid exemption, also if they need none today"),
            ("exemptionsVoid", "number", "users with exemption tags that the rule does not accept"),
            ("accounts", "number", "the accounts in the document"),
            ("accountsIncomplete", "number", "accounts with an `error`"),
            ("accountsNotCovered", "number", "accounts whose `coverage` is missing or is not `evaluated`"),
        ],
    },
    Object {
        output: "exempt --list --format json",
        within: "",
        fields: &[
            ("account", "text", "the account id"),
            ("userName", "text", "the user's name"),
            ("userId", "text", "the unique id, `AIDA…`"),
            ("until", "text or null", "the tag `access-key-rotation:exempt-until`"),
            ("owner", "text or null", "the tag `access-key-rotation:exempt-owner`"),
            ("reason", "text or null", "the tag `access-key-rotation:exempt-reason`"),
            ("key", "text or null", "the tag `access-key-rotation:exempt-key`"),
            ("valid", "boolean", "whether the rule accepts the exemption today"),
            ("state", "text", "`valid`, or why the exemption is not; also names misspelled tags"),
        ],
    },
];
