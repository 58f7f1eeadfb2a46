//! YAML with the place of each value. Takes what every reader of YAML reads alike: no anchors, aliases or tags, one document, no key
//! twice, and no value without quotes that some readers take for a number, a boolean or nothing.

use policy::text::visible;
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, StrInput, options};
use std::{collections::BTreeSet, fmt};

/// The deepest nesting that a value may have: a file of exemptions has three levels.
const DEEPEST: usize = 16;

/// The beginning of a file.
pub(super) const START: Place = Place { line: 1, column: 1 };

/// Where a value begins, both counted from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl From<&Marker> for Place {
    fn from(marker: &Marker) -> Place {
        Place { line: marker.line(), column: marker.col() + 1 }
    }
}

/// What is wrong at a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mistake {
    pub(crate) place: Place,
    pub(crate) what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// A value and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed<T> {
    pub(super) place: Place,
    pub(super) value: T,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    /// A value without quotes that some or all readers take for something else than text.
    Unquoted(String),
    List(Vec<Placed<Value>>),
    Mapping(Vec<(Placed<String>, Placed<Value>)>),
}

/// Reads one document.
///
/// # Errors
/// All mistakes up to the end, or up to the first that is not YAML. There is at least one.
pub(super) fn read(text: &str) -> Result<Placed<Value>, Vec<Mistake>> {
    let events = Parser::new_from_str_with_options(text, options! { emit_comments: false });
    let mut reader = Reader { events, mistakes: Vec::new() };
    match reader.document() {
        Ok(value) if reader.mistakes.is_empty() => Ok(value),
        Ok(_) => Err(reader.mistakes),
        Err(last) => {
            reader.mistakes.push(last);
            Err(reader.mistakes)
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Place), Mistake> {
        match self.events.next() {
            Some(Ok((event, span))) => Ok((event, Place::from(&span.start))),
            Some(Err(error)) => {
                Err(Mistake { place: error.marker().into(), what: format!("not YAML: {}", error.info()) })
            }
            None => Err(Mistake { place: START, what: "not YAML: it has no end".to_owned() }),
        }
    }

    fn mistake(&mut self, place: Place, what: impl Into<String>) {
        self.mistakes.push(Mistake { place, what: what.into() });
    }

    fn document(&mut self) -> Result<Placed<Value>, Mistake> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd, place) => return Err(Mistake { place, what: "the file is empty".to_owned() }),
                (event, place) => {
                    let value = self.value(event, place, 0)?;
                    self.end()?;
                    return Ok(value);
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), Mistake> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(..), place) => {
                    return Err(Mistake { place, what: "a second document. Leave it out".to_owned() });
                }
                _ => {}
            }
        }
    }

    /// The value that begins with this event.
    fn value(&mut self, event: Event<'_>, place: Place, depth: usize) -> Result<Placed<Value>, Mistake> {
        if depth > DEEPEST {
            return Err(Mistake { place, what: format!("more than {DEEPEST} lists or mappings in each other") });
        }
        if event.anchor_id().is_some() || event.alias_id().is_some() {
            self.mistake(place, "an anchor or an alias. Write the value out");
        }
        if event.tag().is_some() {
            self.mistake(place, "a tag of YAML. Leave it out");
        }
        let value = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if !is_text(&text) => Value::Unquoted(text.into_owned()),
            Event::Scalar(text, ..) => Value::Text(text.into_owned()),
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.mapping(depth)?,
            // An alias, which is a mistake already.
            _ => Value::Text(String::new()),
        };
        Ok(Placed { place, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Mistake> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, place) => items.push(self.value(event, place, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, Mistake> {
        let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            let Placed { place, value: key } = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Mapping(entries)),
                (event, place) => self.value(event, place, depth + 1)?,
            };
            let (event, at) = self.next()?;
            let value = self.value(event, at, depth + 1)?;
            let (Value::Text(key) | Value::Unquoted(key)) = key else {
                self.mistake(place, "a list or a mapping as the name of a field");
                continue;
            };
            if !seen.insert(key.clone()) {
                self.mistake(place, format!("{} a second time", quoted(&key)));
                continue;
            }
            entries.push((Placed { place, value: key }, value));
        }
    }
}

/// Whether every reader of YAML takes these characters without quotes for text: by the core schema of YAML 1.2, and by the types of
/// YAML 1.1, except for its dates.
fn is_text(plain: &str) -> bool {
    const WORDS: [&str; 12] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<"];
    let number = |text: &str| {
        let digits = text.trim_start_matches(['+', '-']).replace('_', "");
        let based = digits.get(..2).is_some_and(|base| ["0x", "0X", "0o", "0b"].contains(&base));
        let first = digits.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
        based && digits.bytes().skip(2).all(|digit| digit.is_ascii_hexdigit())
            || first && digits.parse::<f64>().is_ok()
            || [".inf", ".nan"].iter().any(|word| digits.eq_ignore_ascii_case(word))
    };
    !WORDS.iter().any(|word| plain.eq_ignore_ascii_case(word)) && !plain.split(':').all(number)
}

/// Text of the file or a tag, for people: on one line, without what acts on a terminal, and no longer than a tag can be.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", visible(text, 256))
}

/// Text as YAML: in double quotes, so that every reader of YAML takes it for text, and with what is not to be seen escaped.
pub(crate) fn written(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if visible(&c.to_string(), 1) == c.to_string() => c.to_string(),
        c => format!("\\U{:08X}", u32::from(c)),
    });
    format!("\"{}\"", escaped.collect::<String>())
}
