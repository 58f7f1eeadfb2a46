use super::*;
use serde_json::{Value as Json, json};

const USER_ENTRY: &str =
    "  - {Account: \"111122223333\", User: bank, ExemptOwner: payments, ExemptUntil: 2027-01-31}\n";

/// What is said of a file with these bytes.
fn said(bytes: impl AsRef<[u8]>) -> Vec<String> {
    let mut mistakes = parse(bytes.as_ref()).map(|_| Vec::new()).unwrap_or_else(|mistakes| mistakes);
    mistakes.sort();
    mistakes.iter().map(Mistake::to_string).collect()
}

/// A file with one entry, whose fields are these lines.
fn entry(fields: &str) -> String {
    let lines: Vec<_> = fields.lines().map(|line| format!("    {line}\n")).collect();
    format!("AccessKeyRotation:\n{}", lines.concat().replacen("    ", "  - ", 1))
}

#[test]
fn entries_are_read_with_the_places_of_their_values() {
    let text = "# Reviewed by security\n\
                AccessKeyRotation:\n\
                - Account: '012345678901'\n\
                \x20 User: billing-export # the ERP\n\
                \x20 Key: AKIAIOSFODNN7EXAMPLE\n\
                \x20 ExemptOwner: ' Köln '\n\
                \x20 ExemptUntil: 2027-01-31\n\
                - {\"Address\": aws_iam_access_key.bank, ExemptOwner: a, ExemptReason: 'the bank''s gateway', ExemptUntil: 2027-01-31}\n";
    for text in [text.to_owned(), text.replace('\n', "\r\n"), format!("\u{feff}{text}"), format!("---\n{text}...\n")] {
        let File { entries, of_guard_alone } = parse(text.as_bytes()).unwrap();
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        assert_eq!((entry.account(), entry.user(), of_guard_alone), ("012345678901", "billing-export", 1));
        let tags = [(EXEMPT_UNTIL, "2027-01-31"), (EXEMPT_OWNER, "Köln"), (EXEMPT_KEY, "AKIAIOSFODNN7EXAMPLE")];
        assert_eq!(entry.tags(), tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        let first = usize::from(text.starts_with("---"));
        assert_eq!(entry.mistake(USER, String::new()).place, Place { line: 4 + first, column: 9 });
        assert_eq!(entry.mistake(REASON, String::new()).place, Place { line: 3 + first, column: 3 });
    }
    assert!(parse(b"AccessKeyRotation: []").unwrap().entries.is_empty());
}

#[test]
fn every_mistake_is_named_with_its_place_and_what_is_allowed() {
    let text = "AccessKeyRotation:\n\
                - Account: 012345678901\n\
                \x20 User: no\n\
                \x20 ExemptOwner: payments\n\
                \x20 ExemptUntil: 2027-02-29\n\
                \x20 Owner: payments\n\
                - {Account: \"11112222333\", User: \"a b\", Key: AKIA, ExemptOwner: \"a!\", ExemptUntil: 2027-02-29}\n\
                - {Account: \"111122223333\", User: bank, ExemptOwner: [a], ExemptUntil: {}}\n\
                - User: bank\n\
                - bank\n\
                more: true\n";
    let known = "Account, User, Key, Address, ExemptOwner, ExemptReason, ExemptUntil";
    let unquoted = "in quotes: without quotes, YAML may read it as a number, a boolean or nothing, and change it";
    let needed = "An entry has Account and User, or Address, or all three, with ExemptOwner and ExemptUntil. With Address it also \
                  has ExemptReason";
    let expected = [
        format!("line 2, column 12: Account: write \"012345678901\" {unquoted}"),
        format!("line 3, column 9: User: write \"no\" {unquoted}"),
        format!("line 6, column 3: \"Owner\": unknown field. Known are {known}"),
        "line 7, column 13: Account \"11112222333\": an account id has twelve digits".to_owned(),
        "line 7, column 34: User \"a b\": a user's name has 1 to 64 letters, digits and _+=,.@-".to_owned(),
        "line 7, column 46: Key \"AKIA\": the id of an access key has 16 to 128 letters, digits and _".to_owned(),
        "line 7, column 65: ExemptOwner \"a!\": IAM tags accept letters, digits, spaces and _.:/=+-@, but not '!'"
            .to_owned(),
        "line 7, column 84: ExemptUntil \"2027-02-29\": no such day. Write a day as YYYY-MM-DD".to_owned(),
        "line 8, column 54: ExemptOwner is not a text".to_owned(),
        "line 8, column 72: ExemptUntil is not a text".to_owned(),
        format!("line 9, column 3: the entry has no Account, ExemptOwner, ExemptUntil. {needed}"),
        format!("line 10, column 3: not an entry. An entry has the fields {known}"),
        "line 11, column 1: \"more\": unknown field. The file has one, AccessKeyRotation".to_owned(),
    ];
    assert_eq!(said(text), expected);
}

#[test]
fn a_value_without_quotes_that_some_reader_of_yaml_changes_is_refused() {
    for user in [
        "no", "Yes", "on", "y", "true", "null", "~", "123", "1e3", "0x1F", "0o17", "1_000", "-1", ".5", "+.inf",
        ".NaN", "12:30",
    ] {
        let of_user = |user: &str| {
            entry(&format!("Account: '111122223333'\nUser: {user}\nExemptOwner: a\nExemptUntil: 2027-01-31"))
        };
        let expected = format!(
            "line 3, column 11: User: write \"{user}\" in quotes: without quotes, YAML may read it as a number, a boolean or nothing, and change it"
        );
        assert_eq!(said(of_user(user)), [expected]);
        if user.chars().all(|c| c.is_ascii_alphanumeric() || "_+.-".contains(c)) {
            assert_eq!(said(of_user(&format!("'{user}'"))), [""; 0]);
        }
    }
    for user in ["nobody", "2027-bank", "e3", "0xbank", "1.2.3", "inf", "2027-01-31", "1e3a", "yes-man"] {
        let entry = entry(&format!("Account: '111122223333'\nUser: {user}\nExemptOwner: a\nExemptUntil: 2027-01-31"));
        assert_eq!(said(entry), [""; 0], "{user}");
    }
}

#[test]
fn a_user_or_an_address_has_one_entry() {
    let other = USER_ENTRY.replace("bank", "BANK").replace("payments", "other");
    let text = format!("AccessKeyRotation:\n{USER_ENTRY}{other}{}", USER_ENTRY.replace("1111", "2222"));
    let expected = "line 3, column 37: User \"BANK\" of account \"111122223333\" has an entry already, in line 2. A user has one exemption";
    assert_eq!(said(text), [expected]);
    let other_key = USER_ENTRY.replace("ExemptOwner", "Key: AKIAIOSFODNN7EXAMPLE, ExemptOwner");
    assert_eq!(said(format!("AccessKeyRotation:\n{USER_ENTRY}{other_key}")).len(), 1);
    let address = "  - {Address: a.b, ExemptOwner: a, ExemptReason: b, ExemptUntil: 2027-01-31}\n";
    let expected = "line 3, column 15: Address \"a.b\" has an entry already, in line 2";
    assert_eq!(said(format!("AccessKeyRotation:\n{address}{address}")), [expected]);
}

#[test]
fn what_is_not_plain_yaml_is_refused_where_it_begins() {
    for (text, expected) in [
        ("", "line 1, column 1: the file is empty"),
        ("# nothing\n", "line 2, column 1: the file is empty"),
        (
            "AccessKeyRotation:\n\t- a\n",
            "line 2, column 2: not YAML: tabs disallowed within this context (block indentation)",
        ),
        ("AccessKeyRotation:\n  - {Account: \"1\n", "line 2, column 15: not YAML: unclosed quote"),
        ("AccessKeyRotation: []\nAccessKeyRotation: []\n", "line 2, column 1: \"AccessKeyRotation\" a second time"),
        ("AccessKeyRotation: []\n---\nAccessKeyRotation: []\n", "line 2, column 1: a second document. Leave it out"),
        ("AccessKeyRotation: &all []\n", "line 1, column 25: an anchor or an alias. Write the value out"),
        ("AccessKeyRotation: *all\n", "line 1, column 20: not YAML: while parsing node, found unknown anchor"),
        ("AccessKeyRotation: !!seq []\n", "line 1, column 26: a tag of YAML. Leave it out"),
        (
            "AccessKeyRotation:\n",
            "line 1, column 18: AccessKeyRotation is not a list. Without entries, write AccessKeyRotation: []",
        ),
        ("- a\n", "line 1, column 1: not a mapping. The file begins with AccessKeyRotation:"),
        ("[a]: b\n", "line 1, column 1: a list or a mapping as the name of a field"),
    ] {
        assert_eq!(said(text), [expected], "{text:?}");
    }
    let twice = entry("Account: '111122223333'\nUser: bank\nUser: other\nExemptOwner: a\nExemptUntil: 2027-01-31");
    assert_eq!(said(twice), ["line 4, column 5: \"User\" a second time"]);
    let no_list = "line 1, column 1: no field AccessKeyRotation";
    let unknown = "line 1, column 1: \"Other\": unknown field. The file has one, AccessKeyRotation";
    assert_eq!(said("Other: []\n"), [unknown, no_list]);
}

#[test]
fn nesting_and_aliases_cost_no_more_than_the_text() {
    let deep = |n: usize| format!("AccessKeyRotation: {}{}\n", "[".repeat(n), "]".repeat(n));
    assert!(said(deep(10))[0].starts_with("line 1, column 21: not an entry."));
    assert_eq!(said(deep(200)), ["line 1, column 36: more than 16 lists or mappings in each other"]);
    assert_eq!(said(deep(100_000)).len(), 1);
    let bomb: String = (1..30).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect();
    let said = said(format!("a0: &a0 [x]\n{bomb}"));
    assert!(said.len() < 200 && said[0].contains("an anchor or an alias"), "{said:?}");
}

#[test]
fn bytes_that_are_not_utf_8_are_named_with_their_place() {
    let mut bytes = "AccessKeyRotation:\n  - User: Kö".as_bytes().to_vec();
    bytes.push(0xff);
    assert_eq!(said(bytes), ["line 2, column 13: not UTF-8. Save the file as UTF-8"]);
    let utf_16: Vec<u8> = "\u{feff}AccessKeyRotation: []".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(said(utf_16), ["line 1, column 1: not UTF-8. Save the file as UTF-8"]);
}

#[test]
fn text_of_the_file_is_not_repeated_as_it_is() {
    let text = entry("Account: '111122223333'\nUser: \"a\\e[2J\\u202e\"\nExemptOwner: a\nExemptUntil: 2027-01-31");
    assert_eq!(
        said(text),
        ["line 3, column 11: User \"a?[2J?\": a user's name has 1 to 64 letters, digits and _+=,.@-"]
    );
}

/// The same cases as in tests/rollout/test_exemptions.py, which reads them by the schema.
#[test]
fn the_reader_takes_what_the_schema_takes() {
    let cases = include_str!("../../../../../../tests/fixtures/exemptions/cases.json");
    let cases: Vec<Json> = serde_json::from_str(cases).unwrap();
    for case in &cases {
        let text = json!({"AccessKeyRotation": [case["entry"]]}).to_string();
        assert_eq!(parse(text.as_bytes()).is_ok(), case["accepted"], "{}: {:?}", case["is"], said(&text));
    }
    let longest = |n: usize| {
        entry(&format!("Account: '012345678901'\nUser: a\nExemptOwner: {}\nExemptUntil: 2027-01-31", "ä".repeat(n)))
    };
    assert!(parse(longest(256).as_bytes()).is_ok() && parse(longest(257).as_bytes()).is_err());
}

/// Each byte of a file is left out, doubled or replaced. What is then accepted says the same after it is written out once more.
#[test]
fn what_a_changed_byte_leaves_is_refused_or_read_as_it_is_written() {
    let text = entry(
        "Account: \"111122223333\"\nUser: 'bank'\nKey: AKIAIOSFODNN7EXAMPLE\nExemptOwner: Köln\nExemptReason: >-\n  a\n  b\nExemptUntil: 2027-01-31 # soon",
    );
    let (mut accepted, mut refused) = (0, 0);
    for at in 0..text.len() {
        for new in [
            "", "\"", "'", "#", ": ", "\n", "\n\n  ", "\t", "-", "*", "&a ", "!", "%", "0", "\0", "\u{feff}",
            "\u{2028}", "[", "{", "|",
        ] {
            let changed =
                [&text.as_bytes()[..at], new.as_bytes(), &text.as_bytes()[at + usize::from(at % 2 == 0)..]].concat();
            let Ok(File { entries, .. }) = parse(&changed) else {
                refused += 1;
                continue;
            };
            accepted += 1;
            for entry in &entries {
                let fields =
                    entry.fields.iter().map(|(field, text)| format!("{field}: {}", yaml::written(&text.value)));
                let again = format!("{TOP}: [{{{}}}]", fields.collect::<Vec<_>>().join(", "));
                let again = parse(again.as_bytes()).unwrap();
                assert_eq!(again.entries[0].tags(), entry.tags());
            }
        }
    }
    assert!(accepted > 100 && refused > 1000, "{accepted} {refused}");
}
