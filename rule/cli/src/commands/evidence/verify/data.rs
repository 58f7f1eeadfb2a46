//! The data of an auditor's document, read again one user at a time: those of a whole organization may not fit in memory.

use crate::output::{
    evidence::{USERS, canonical_hash},
    visible::on_one_line,
};
use anyhow::{Context, anyhow, bail};
use serde::de::{DeserializeSeed, Deserializer as _, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Value};
use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufReader, Seek},
};

const SHA256: &str = "sha256";
/// What may be kept in memory, in bytes: everything except the users, and one user.
const LARGEST_HEAD: usize = 256 << 20;
const LARGEST_USER: usize = 1 << 20;

/// What the data says, and what it should say.
pub(super) struct Data {
    /// The hash in the file.
    pub(super) stated: String,
    /// The hash of the data in the file.
    pub(super) actual: String,
    pub(super) population: Option<String>,
    totals: Map<String, Value>,
    /// The totals that the lists in the data make.
    counted: BTreeMap<&'static str, usize>,
}

impl Data {
    /// Reads the file twice: first for what comes before the users among the sorted names, wherever it stands.
    ///
    /// # Errors
    /// If it cannot be read, or is no data of an auditor's document.
    pub(super) fn read(mut file: &File) -> anyhow::Result<Data> {
        let mut counted = BTreeMap::new();
        let mut fields = read(file, |user| count_user(user, &mut counted))?;
        let Some(Value::String(stated)) = fields.remove(SHA256) else { bail!("it has no {SHA256}") };
        let Some(Value::Object(totals)) = fields.get("totals").cloned() else { bail!("it has no totals") };
        let population = fields.get("populationSha256").and_then(Value::as_str).map(str::to_owned);
        count_accounts(&fields, &mut counted);
        file.rewind()?;
        let hash = canonical_hash(fields, |hash| read(file, |user| hash(user)).map(|_| ()).map_err(io::Error::other));
        let actual = hash.map_err(|error| anyhow!("it changed while it was read: {error}"))?;
        Ok(Data { stated, actual, population, totals, counted })
    }

    /// How the file contradicts itself, in words.
    pub(super) fn differences(&self) -> Vec<String> {
        let Data { stated, actual, totals, counted, .. } = self;
        let hash =
            (stated != actual).then(|| format!("its data has the SHA-256 {actual}, but it says {}", short(stated)));
        let totals = counted.iter().filter_map(|(name, counted)| match totals.get(*name) {
            // Unknown, since it is unknown for an account.
            Some(Value::Null) if *name == EXPOSED => None,
            Some(said) if said.as_u64() == u64::try_from(*counted).ok() => None,
            said => {
                let said = short(&said.map_or("nothing".to_owned(), Value::to_string));
                Some(format!("its lists have {counted} {name}, but its totals say {said}"))
            }
        });
        hash.into_iter().chain(totals).collect()
    }

    /// What a page says of each total: a number, a lower bound, or that it is unknown.
    pub(super) fn on_a_page(&self) -> BTreeMap<&'static str, String> {
        let number = |name: &str| self.totals.get(name).and_then(Value::as_u64);
        let complete = number("accountsIncomplete") == Some(0);
        let text = |name: &'static str| {
            // A page counts those who are known to be exposed.
            let lower_bound = number(name).or(self.counted.get(name).and_then(|counted| u64::try_from(*counted).ok()));
            let is_exact = ALWAYS_EXACT.contains(&name) || complete && number(name).is_some();
            let text = match lower_bound {
                Some(number) if is_exact => number.to_string(),
                None | Some(0) => "unknown".to_owned(),
                Some(number) => format!("at least {number}"),
            };
            (name, text)
        };
        ON_A_PAGE.into_iter().map(text).collect()
    }
}

const EXPOSED: &str = "usersExposed";
/// What was evaluated is known.
const ALWAYS_EXACT: [&str; 3] = ["usersEvaluated", "accounts", "accountsIncomplete"];
const ON_A_PAGE: [&str; 8] = [
    "usersNonCompliant",
    EXPOSED,
    "usersExempt",
    "usersDueSoon",
    "oldInactiveKeys",
    "usersEvaluated",
    "accounts",
    "accountsIncomplete",
];

fn count_user(user: &Value, counted: &mut BTreeMap<&'static str, usize>) {
    let is = |field: &str| user[field] == Value::Bool(true);
    let old_keys = user["oldInactiveKeys"].as_array().map_or(0, Vec::len);
    for (name, more) in [
        ("usersEvaluated", 1),
        ("usersNonCompliant", usize::from(user["compliance"] == "NON_COMPLIANT")),
        ("usersExempt", usize::from(is("exempt"))),
        ("usersDueSoon", usize::from(is("dueSoon"))),
        (EXPOSED, usize::from(is("exposed"))),
        ("oldInactiveKeys", old_keys),
    ] {
        *counted.entry(name).or_default() += more;
    }
}

fn count_accounts(fields: &Map<String, Value>, counted: &mut BTreeMap<&'static str, usize>) {
    let list = |name: &str| fields.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let count = |name: &str, counts: fn(&Value) -> bool| list(name).iter().filter(|item| counts(item)).count();
    counted.extend([
        ("accounts", list("accounts").len()),
        ("accountsIncomplete", count("accounts", |account| !account["error"].is_null())),
        ("accountsNotCovered", count("accounts", |account| account["coverage"]["state"] != "evaluated")),
        ("exemptionsValid", count("exemptions", |user| user["valid"] == true)),
        ("exemptionsVoid", count("exemptions", |user| user["valid"] != true)),
    ]);
    // Without users, nothing of theirs was counted.
    for name in ["usersEvaluated", "usersNonCompliant", "usersExempt", "usersDueSoon", EXPOSED, "oldInactiveKeys"] {
        counted.entry(name).or_default();
    }
}

/// Somebody else's text, for a line.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 80;
    let cut: String = text.chars().take(MOST).collect();
    format!("{}{}", on_one_line(&cut), if cut.len() < text.len() { "…" } else { "" })
}

/// Reads everything except the users, who go to `each_user`.
fn read(file: &File, each_user: impl FnMut(&Value)) -> anyhow::Result<Map<String, Value>> {
    let mut deserializer = Deserializer::from_reader(BufReader::new(file));
    let budget = &Cell::new(LARGEST_HEAD);
    let fields = deserializer.deserialize_map(Document { each_user, budget });
    let fields = fields.and_then(|fields| deserializer.end().map(|()| fields));
    // The error may quote the file.
    fields.map_err(|error| anyhow!(short(&error.to_string()))).context("no data of evidence")
}

/// The document.
struct Document<'a, F> {
    each_user: F,
    budget: &'a Cell<usize>,
}

impl<'de, F: FnMut(&Value)> Visitor<'de> for Document<'_, F> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        let mut has_users = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == USERS && !has_users {
                has_users = true;
                map.next_value_seed(Users(&mut self.each_user))?;
            } else if name == USERS || fields.contains_key(&name) {
                return Err(twice(&name));
            } else {
                let value = map.next_value_seed(Strict(self.budget))?;
                fields.insert(name, value);
            }
        }
        if has_users { Ok(fields) } else { Err(A::Error::custom("it has no users")) }
    }
}

/// The list of users.
struct Users<'a, F>(&'a mut F);

impl<'de, F: FnMut(&Value)> DeserializeSeed<'de> for Users<'_, F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&Value)> Visitor<'de> for Users<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of users")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut users: A) -> Result<(), A::Error> {
        while let Some(user) = users.next_element_seed(Strict(&Cell::new(LARGEST_USER)))? {
            (self.0)(&user);
        }
        Ok(())
    }
}

/// A value in which no name stands twice, since a reader may see another of the two than a program, and which fits into the rest of a
/// budget.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a Cell<usize>);

impl Strict<'_> {
    fn spend<E: Error>(self, text: usize) -> Result<(), E> {
        let rest = self.0.get().checked_sub(text + size_of::<Value>());
        self.0.set(rest.ok_or_else(|| E::custom("a part of it is too large"))?);
        Ok(())
    }
}

fn twice<E: Error>(name: &str) -> E {
    E::custom(format!("the name {name} stands twice"))
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.spend(0).map(|()| Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.spend(0).map(|()| value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.spend(0).map(|()| value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.spend(0).map(|()| value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.spend(0).map(|()| value.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.spend(text.len()).map(|()| text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut fields = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            self.spend(name.len())?;
            if fields.contains_key(&name) {
                return Err(twice(&name));
            }
            let value = map.next_value_seed(self)?;
            fields.insert(name, value);
        }
        Ok(fields.into())
    }
}
