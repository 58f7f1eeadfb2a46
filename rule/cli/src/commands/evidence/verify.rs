//! `evidence --verify`: whether files of an auditor's document are right in themselves, and agree. It makes no call.

mod data;
mod page;

use crate::{
    command_result::CommandResult,
    output::{destination::print, evidence::hexadecimal, population, visible::on_one_line},
};
use anyhow::{Context, bail};
use data::{Data, short};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek},
    path::{Path, PathBuf},
};
use tokio::task::spawn_blocking;

/// Half a million users have some 500 MB.
const LARGEST: u64 = 2 << 30;
/// A page has no compliant users. It is read at once.
const LARGEST_PAGE: u64 = 256 << 20;

/// A file that could be read.
enum Part {
    Data(Box<Data>),
    /// What it states, by field.
    Page(BTreeMap<String, String>),
    /// The hash of the file.
    Population(String),
}

pub(super) async fn run(files: Vec<PathBuf>) -> anyhow::Result<CommandResult> {
    // On a thread of its own, so that Ctrl-C works meanwhile.
    let (lines, result) = spawn_blocking(move || verify(&files)).await?;
    print(lines).await?;
    Ok(result)
}

/// One line for each file that is compared.
fn verify(files: &[PathBuf]) -> (String, CommandResult) {
    let read = files.iter().map(|path| (name(path), read(path).with_context(|| name(path))));
    let parts: Vec<_> = read.collect();
    let data: Vec<_> =
        parts.iter().filter_map(|(name, part)| Some((name.as_str(), part.as_ref().ok()?.data()?))).collect();
    let (mut lines, mut result) = (String::new(), CommandResult::default());
    for (name, part) in &parts {
        let compared = match part {
            Ok(Part::Data(data)) => Ok((data.differences(), right(data, &parts))),
            Ok(Part::Page(values)) => compare_page(values, &data),
            Ok(Part::Population(hash)) => compare_population(hash, &data),
            Err(error) => Err(format!("{error:#}")),
        };
        match compared {
            Ok((differences, right)) if differences.is_empty() => lines += &format!("{name}: {right}\n"),
            Ok((differences, _)) => {
                result.violations = true;
                lines += &format!("{name}: WRONG: {}\n", differences.join("; "));
            }
            Err(error) if part.is_ok() => result.errors.push(format!("{name}: {error}")),
            Err(error) => result.errors.push(error),
        }
    }
    (lines, result)
}

/// A path that cannot act on a terminal.
fn name(path: &Path) -> String {
    on_one_line(&path.display().to_string())
}

impl Part {
    fn data(&self) -> Option<&Data> {
        if let Part::Data(data) = self { Some(data) } else { None }
    }
}

/// Knows the kind of a file by how it begins.
fn read(path: &Path) -> anyhow::Result<Part> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        bail!("not a file");
    }
    if about.len() > LARGEST {
        bail!("larger than {} GiB", LARGEST >> 30);
    }
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(100).read_to_end(&mut start)?;
    file.rewind()?;
    if start.trim_ascii_start().starts_with(b"{") {
        return Data::read(&file).map(|data| Part::Data(Box::new(data)));
    }
    if start.starts_with(b"<!DOCTYPE html>") {
        if about.len() > LARGEST_PAGE {
            bail!("larger than {} MiB", LARGEST_PAGE >> 20);
        }
        let mut page = String::new();
        file.take(LARGEST_PAGE).read_to_string(&mut page)?;
        let values = page::values(&page)?;
        if !values.contains_key("sha256") {
            bail!("no page of evidence: it states no SHA-256 of the data");
        }
        return Ok(Part::Page(values));
    }
    if start.starts_with(population::header().as_bytes()) {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                return Ok(Part::Population(hexadecimal(hash)));
            }
            hash.update(&buffer[..length]);
        }
    }
    bail!("neither the data nor the page nor the population of evidence")
}

/// What is said of data that is right.
fn right(data: &Data, parts: &[(String, anyhow::Result<Part>)]) -> String {
    let is_here =
        |hash: &String| parts.iter().any(|(_, part)| matches!(part, Ok(Part::Population(found)) if found == hash));
    let missing = data.population.as_ref().is_some_and(|hash| !is_here(hash));
    let missing = if missing { ". Its population is not among the files" } else { "" };
    format!("right, SHA-256 {}{missing}", data.actual)
}

type Compared = Result<(Vec<String>, String), String>;

/// Compares a page with the data that has the hash which it states, or else with the only data there is.
fn compare_page(page: &BTreeMap<String, String>, all: &[(&str, &Data)]) -> Compared {
    let stated = |field: &str| page.get(field).map(String::as_str).unwrap_or_default();
    let of_the_same = all.iter().find(|(_, data)| data.stated == stated("sha256"));
    let (name, data) = match (of_the_same, all) {
        (Some(found), _) | (None, [found]) => found,
        (None, []) => {
            return Err("there is no data to compare it with. Name the JSON file too".to_owned());
        }
        (None, _) => {
            let none = format!("it states the SHA-256 {}, which none of the JSON files has", short(stated("sha256")));
            return Ok((vec![none], String::new()));
        }
    };
    let mut expected = data.on_a_page();
    expected.insert("sha256", data.stated.clone());
    if let Some(population) = &data.population {
        expected.insert("populationSha256", population.clone());
    }
    let differs = expected.iter().filter(|(field, value)| stated(field) != value.as_str());
    let differs = differs.map(|(field, value)| {
        let found = page.get(*field).map_or("nothing".to_owned(), |found| short(found));
        format!("{field} is {found} here and {} in {name}", short(value))
    });
    Ok((differs.collect(), format!("right, it states the hash and the totals of {name}")))
}

fn compare_population(hash: &str, all: &[(&str, &Data)]) -> Compared {
    let named: Vec<_> = all.iter().filter_map(|(name, data)| Some((name, data.population.as_ref()?))).collect();
    if named.is_empty() {
        return Err("no data that names a population. Name the JSON file too".to_owned());
    }
    Ok(match named.iter().find(|(_, population)| *population == hash) {
        Some((name, _)) => (Vec::new(), format!("right, it is the population of {name}")),
        None => {
            let named: Vec<_> =
                named.iter().map(|(name, population)| format!("{name} names {}", short(population))).collect();
            (vec![format!("it has the SHA-256 {hash}, but {}", named.join(", "))], String::new())
        }
    })
}
