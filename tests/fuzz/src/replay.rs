//! Replays the corpus, and what chance makes of it, without a fuzzer.

use crate::TARGETS;
use fastrand::Rng;
use std::{fs, iter, path::PathBuf, thread};

/// How many inputs chance makes for each target.
const MADE: usize = 20_000;

/// Words that the targets know, in libFuzzer's format.
const DICTIONARY: &str = include_str!("../dictionary");

/// Shows the input on which a target panicked.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the input: {}", self.0.escape_ascii());
        }
    }
}

fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let accepts = |input: &Vec<u8>| {
        let _shown = Shown(input);
        target(input)
    };
    let file = |kind: &str| -> PathBuf { [env!("CARGO_MANIFEST_DIR"), kind, name].iter().collect() };
    let mut seeds: Vec<_> = fs::read_dir(file("seeds")).unwrap().map(|seed| seed.unwrap().path()).collect();
    seeds.sort();
    let seeds = seeds.iter().map(|path| fs::read(path).unwrap());
    let found = fs::read_to_string(file("corpus")).unwrap();
    let corpus: Vec<_> = seeds.chain(found.lines().map(unescaped)).collect();
    let accepted = corpus.iter().filter(|input| accepts(input)).count();
    assert!(accepted > 0 && accepted < corpus.len(), "{accepted} of {} accepted", corpus.len());
    let words: Vec<_> = DICTIONARY.lines().filter_map(word).collect();
    let mut random = Rng::with_seed(13);
    let made = (0..MADE).filter(|_| accepts(&mutated(&corpus, &words, &mut random))).count();
    assert!((1..MADE).contains(&made), "{made} of {MADE} accepted");
}

fn word(line: &str) -> Option<Vec<u8>> {
    Some(unescaped(line.strip_prefix('"')?.strip_suffix('"')?))
}

/// Bytes as `run` and libFuzzer write them.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut next = || {
        let byte = bytes.next()?;
        if byte != b'\\' {
            return Some(byte);
        }
        Some(match bytes.next().unwrap() {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            same => same,
        })
    };
    iter::from_fn(&mut next).collect()
}

/// An input of the corpus with one to three changes.
fn mutated(corpus: &[Vec<u8>], words: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut input = corpus[random.usize(0..corpus.len())].clone();
    for _ in 0..random.usize(1..4) {
        let start = random.usize(0..=input.len());
        let end = (start + random.usize(0..20)).min(input.len());
        let new = match random.u8(0..6) {
            0 => vec![],
            1 => vec![random.u8(..)],
            2 => random.digit(10).to_string().into_bytes(),
            3 => words[random.usize(0..words.len())].clone(),
            4 => input[start..end].repeat(2),
            _ => {
                let other = &corpus[random.usize(0..corpus.len())];
                let from = random.usize(0..=other.len());
                other[from..(from + random.usize(0..200)).min(other.len())].to_vec()
            }
        };
        let end = if random.bool() { start + new.len().min(input.len() - start) } else { end };
        input.splice(start..end, new);
    }
    input
}

#[test]
fn event() {
    replay("event");
}

#[test]
fn parameters() {
    replay("parameters");
}

#[test]
fn tags() {
    replay("tags");
}

#[test]
fn annotation() {
    replay("annotation");
}

#[test]
fn credential_report() {
    replay("credential_report");
}

#[test]
fn earlier_scan() {
    replay("earlier_scan");
}

#[test]
fn exemption_file() {
    replay("exemption_file");
}
