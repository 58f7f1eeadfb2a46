//! The file of exemptions, which people review: who may keep an old access key, until when, and who answers for it. CloudFormation
//! Guard takes the same file with `--input-params`. templates/exemptions.schema.json describes it.

use super::yaml::{self, Mistake, Place, Placed, START, Value, quoted};
use access_key_rotation::aws::home::is_account_id;
use anyhow::{Context, anyhow, bail};
use chrono::NaiveDate;
use policy::{
    exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_UNTIL, day},
    user::Tags,
};
use std::{collections::BTreeMap, fs, io::Read, path::Path};

/// The field at the top of the file.
pub(super) const TOP: &str = "AccessKeyRotation";
pub(super) const ACCOUNT: &str = "Account";
pub(super) const USER: &str = "User";
pub(super) const KEY: &str = "Key";
const ADDRESS: &str = "Address";
pub(super) const OWNER: &str = "ExemptOwner";
pub(super) const REASON: &str = "ExemptReason";
pub(super) const UNTIL: &str = "ExemptUntil";
const FIELDS: [&str; 7] = [ACCOUNT, USER, KEY, ADDRESS, OWNER, REASON, UNTIL];

const NEEDED: &str = "An entry has Account and User, or Address, or all three, with ExemptOwner and ExemptUntil. With Address it \
                      also has ExemptReason";

/// The most bytes of a file: some 30,000 entries.
const LONGEST: u64 = 8 << 20;
/// How many mistakes to name.
const NAMED: usize = 100;
/// The longest tag value that IAM accepts, in characters (`tagValueType` in its service model).
const VALUE_LIMIT: usize = 256;

/// An entry about a user. All of its texts are as IAM accepts them.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(super) place: Place,
    fields: BTreeMap<&'static str, Placed<String>>,
}

impl Entry {
    fn get(&self, field: &str) -> &str {
        self.fields.get(field).map(|text| text.value.as_str()).unwrap_or_default()
    }

    pub(crate) fn account(&self) -> &str {
        self.get(ACCOUNT)
    }

    pub(crate) fn user(&self) -> &str {
        self.get(USER)
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.fields.get(KEY).map(|key| key.value.as_str())
    }

    /// The last day of the exemption, in UTC.
    pub(crate) fn ends(&self) -> Option<NaiveDate> {
        day(self.get(UNTIL)).ok()
    }

    /// What is wrong with the value of a field.
    pub(super) fn mistake(&self, field: &str, what: String) -> Mistake {
        Mistake { place: self.fields.get(field).map_or(self.place, |text| text.place), what }
    }

    /// The tags that the entry stands for.
    pub(crate) fn tags(&self) -> Tags {
        let tags = [(UNTIL, EXEMPT_UNTIL), (OWNER, EXEMPT_OWNER), (REASON, EXEMPT_REASON), (KEY, EXEMPT_KEY)];
        let tag = |(field, name): (&str, &str)| Some((name.to_owned(), self.fields.get(field)?.value.clone()));
        tags.into_iter().filter_map(tag).collect()
    }
}

/// What a file says.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// In the order of the file, each user once.
    pub(crate) entries: Vec<Entry>,
    /// How many entries are about no user, but about code that Guard checks.
    pub(super) of_guard_alone: usize,
}

/// Reads and checks a file.
///
/// # Errors
/// If it cannot be read; otherwise every mistake in it, with line and column.
pub(super) fn read(path: &Path) -> anyhow::Result<File> {
    let named = || path.display().to_string();
    let mut bytes = Vec::new();
    // A bound also for what is no file, such as a device.
    fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)).with_context(named)?;
    if bytes.len() as u64 > LONGEST {
        bail!("{}: longer than {} MB. Split it", named(), LONGEST >> 20);
    }
    parse(&bytes).map_err(|mistakes| refused(path, mistakes, Vec::new()))
}

/// The error for a file with mistakes, or with accounts that could not be read.
pub(super) fn refused(path: &Path, mut mistakes: Vec<Mistake>, unread: Vec<String>) -> anyhow::Error {
    mistakes.sort();
    let mut lines: Vec<_> = mistakes.iter().map(|mistake| format!("{}, {mistake}", path.display())).collect();
    lines.extend(unread);
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    if more > 0 {
        lines.push(format!("{more} more"));
    }
    anyhow!("{}\nNothing was written", lines.join("\n"))
}

/// Reads the text of a file.
///
/// # Errors
/// Every mistake; there is at least one.
pub(crate) fn parse(bytes: &[u8]) -> Result<File, Vec<Mistake>> {
    let text = str::from_utf8(bytes).map_err(|error| vec![not_utf8(bytes, error.valid_up_to())])?;
    let Placed { place, value } = yaml::read(text)?;
    let mut reader = Reader::default();
    reader.file(place, value);
    let Reader { entries, of_guard_alone, mistakes, .. } = reader;
    if mistakes.is_empty() { Ok(File { entries, of_guard_alone }) } else { Err(mistakes) }
}

fn not_utf8(bytes: &[u8], valid: usize) -> Mistake {
    let before = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default());
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Mistake { place: Place { line, column }, what: "not UTF-8. Save the file as UTF-8".to_owned() }
}

#[derive(Default)]
struct Reader {
    entries: Vec<Entry>,
    of_guard_alone: usize,
    mistakes: Vec<Mistake>,
    /// The line of each user, by account and name in lower case, since IAM takes each name once in whatever case.
    users: BTreeMap<(String, String), usize>,
    addresses: BTreeMap<String, usize>,
}

impl Reader {
    fn mistake(&mut self, place: Place, what: impl Into<String>) {
        self.mistakes.push(Mistake { place, what: what.into() });
    }

    fn file(&mut self, place: Place, value: Value) {
        let Value::Mapping(fields) = value else {
            return self.mistake(place, format!("not a mapping. The file begins with {TOP}:"));
        };
        let mut list = None;
        for (name, value) in fields {
            if name.value == TOP {
                list = Some(value);
            } else {
                self.mistake(name.place, format!("{}: unknown field. The file has one, {TOP}", quoted(&name.value)));
            }
        }
        let Some(Placed { place, value }) = list else {
            return self.mistake(START, format!("no field {TOP}"));
        };
        let Value::List(entries) = value else {
            return self.mistake(place, format!("{TOP} is not a list. Without entries, write {TOP}: []"));
        };
        entries.into_iter().for_each(|entry| self.entry(entry));
    }

    fn entry(&mut self, Placed { place, value }: Placed<Value>) {
        let Value::Mapping(given) = value else {
            return self.mistake(place, format!("not an entry. An entry has the fields {}", FIELDS.join(", ")));
        };
        let mistakes = self.mistakes.len();
        let mut fields = BTreeMap::new();
        for (name, value) in given {
            match FIELDS.into_iter().find(|field| *field == name.value) {
                Some(field) => _ = self.text(field, value).map(|text| fields.insert(field, text)),
                None => {
                    let known = FIELDS.join(", ");
                    self.mistake(name.place, format!("{}: unknown field. Known are {known}", quoted(&name.value)));
                }
            }
        }
        // What is missing is said only of an entry whose fields could all be read.
        if self.mistakes.len() == mistakes {
            self.complete(place, fields);
        }
    }

    /// The value of a field.
    fn text(&mut self, field: &'static str, Placed { place, value }: Placed<Value>) -> Option<Placed<String>> {
        match value {
            // As a tag: the rule ignores white space around an owner and a reason.
            Value::Text(text) if [OWNER, REASON].contains(&field) => {
                Some(Placed { place, value: text.trim().to_owned() })
            }
            Value::Text(value) => Some(Placed { place, value }),
            Value::Unquoted(text) if text.is_empty() => {
                self.mistake(place, format!("{field} is empty"));
                None
            }
            Value::Unquoted(text) => {
                let text = quoted(&text);
                let why = "without quotes, YAML may read it as a number, a boolean or nothing, and change it";
                self.mistake(place, format!("{field}: write {text} in quotes: {why}"));
                None
            }
            Value::List(_) | Value::Mapping(_) => {
                self.mistake(place, format!("{field} is not a text"));
                None
            }
        }
    }

    fn complete(&mut self, place: Place, fields: BTreeMap<&'static str, Placed<String>>) {
        let has = |field: &str| fields.contains_key(field);
        let of_user = has(ACCOUNT) || has(USER) || has(KEY);
        let mut needed = vec![OWNER, UNTIL];
        if of_user || !has(ADDRESS) {
            needed.extend([ACCOUNT, USER]);
        }
        if has(ADDRESS) {
            needed.push(REASON);
        }
        let missing: Vec<_> = FIELDS.into_iter().filter(|field| needed.contains(field) && !has(field)).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            let what = format!("the entry has no {missing}. {NEEDED}");
            return self.mistake(place, what);
        }
        let wrong = fields.iter().filter_map(|(field, Placed { place, value })| {
            let what = check(field, value, of_user).err()?;
            Some(Mistake { place: *place, what: format!("{field} {}: {what}", quoted(value)) })
        });
        let wrong: Vec<_> = wrong.collect();
        let is_right = wrong.is_empty();
        self.mistakes.extend(wrong);
        if let Some(Placed { place, value }) = fields.get(ADDRESS)
            && let Some(line) = self.addresses.insert(value.clone(), place.line)
        {
            self.mistake(*place, format!("{ADDRESS} {} has an entry already, in line {line}", quoted(value)));
        }
        if !of_user {
            self.of_guard_alone += 1;
            return;
        }
        let entry = Entry { place, fields };
        let user = (entry.account().to_owned(), entry.user().to_ascii_lowercase());
        if let Some(line) = self.users.insert(user, place.line) {
            let (user, account) = (quoted(entry.user()), quoted(entry.account()));
            let what = format!(
                "{USER} {user} of account {account} has an entry already, in line {line}. A user has one exemption"
            );
            self.mistakes.push(entry.mistake(USER, what));
        } else if is_right {
            self.entries.push(entry);
        }
    }
}

/// Checks a value: names and ids by the patterns of IAM's service model (`userNameType`, `accessKeyIdType`), the others as tags. What is
/// about code alone is no tag, and needs only to be there.
fn check(field: &str, value: &str, of_user: bool) -> anyhow::Result<()> {
    let letters = |others: &str| value.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c));
    match field {
        _ if value.is_empty() => bail!("it is empty"),
        ACCOUNT if !is_account_id(value) => bail!("an account id has twelve digits"),
        USER if !letters("_+=,.@-") || value.len() > 64 => {
            bail!("a user's name has 1 to 64 letters, digits and _+=,.@-")
        }
        KEY if !letters("_") || !(16..=128).contains(&value.len()) => {
            bail!("the id of an access key has 16 to 128 letters, digits and _")
        }
        UNTIL => day(value).map(|_| ()).map_err(|why| anyhow!("{why}. Write a day as YYYY-MM-DD")),
        OWNER | REASON if of_user => tag_value(value).map(|_| ()),
        _ => Ok(()),
    }
}

/// Parses a tag value that IAM accepts: `[\p{L}\p{Z}\p{N}_.:/=+\-@]*` ("Tag" in the IAM API reference).
pub(super) fn tag_value(text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "_.:/=+-@".contains(c);
    if text.is_empty() {
        bail!("the value is empty");
    }
    if let Some(other) = text.chars().find(|c| !allowed(*c)) {
        bail!("IAM tags accept letters, digits, spaces and _.:/=+-@, but not {other:?}");
    }
    match text.chars().count() {
        length if length > VALUE_LIMIT => {
            bail!("the value has {length} characters, but IAM accepts at most {VALUE_LIMIT}")
        }
        _ => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests;
