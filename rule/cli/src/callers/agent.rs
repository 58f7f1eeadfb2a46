//! What a CloudTrail event's `userAgent` says of the program that called, and of where it runs. Whoever calls chooses this text, so it is a
//! hint and never a proof.
//!
//! The classes are those of `products.rs`, "AWS console" or "AWS service" for a name such as `cloudformation.amazonaws.com`, and "unknown".
//! `userAgent`: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

mod place;
mod products;

pub(crate) use place::Place;
use products::PRODUCTS;

/// A caller's program, and where it runs if its user agent says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Agent {
    class: &'static str,
    kind: Kind,
    place: Option<Place>,
}

/// What a program is for: this decides what replaces its access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A script, a server's program or anything else that names an SDK or a library alone.
    Program,
    /// A command line, of a person or in a script.
    Cli,
    /// A program with windows: a person uses it.
    Desktop,
    /// Runs on people's phones, or in a browser.
    App,
    /// Deploys, on a person's computer or in a CI system.
    Deployment,
    GitHub,
    /// A CI system that is an OIDC provider, as GitHub is.
    Ci,
    /// Watches accounts, often as another company's service.
    Monitoring,
    /// Belongs to a Kubernetes cluster.
    Kubernetes,
    /// AWS's console, or a service on somebody's behalf.
    Aws,
    Unknown,
}

impl Agent {
    /// Reads CloudTrail's `userAgent`, which may be any text.
    pub(crate) fn of(user_agent: &str) -> Agent {
        let words: Vec<&str> = words(user_agent).collect();
        let names: Vec<Name<'_>> = words.iter().map(|word| Name::of(word)).collect();
        let (class, kind) = PRODUCTS
            .iter()
            .find(|(pattern, ..)| occurs(pattern, &names))
            .map(|(_, class, kind)| (*class, *kind))
            .or_else(|| service(user_agent))
            .unwrap_or(("unknown", Kind::Unknown));
        Agent { class, kind, place: Place::of(&words) }
    }

    /// The class, for tables and JSON's `agentClass`: "AWS SDK for Python", "Terraform", "unknown".
    pub(crate) fn class(&self) -> &'static str {
        self.class
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn place(&self) -> Option<Place> {
        self.place
    }
}

/// The parts of a user agent, without what encloses or separates them. S3's events have it in brackets.
fn words(user_agent: &str) -> impl Iterator<Item = &str> {
    user_agent
        .split(|c: char| c.is_whitespace() || c == ',')
        .map(|word| word.trim_matches(['[', ']', '(', ')', ';', '"', '\'']))
        .filter(|word| !word.is_empty())
}

/// What SDKs name on behalf of a program: `AWS_EXECUTION_ENV` and libraries. Any other word as it is.
fn within(word: &str) -> &str {
    ["exec-env/", "exec_env/", "lib/"].into_iter().find_map(|prefix| after(prefix, word)).unwrap_or(word)
}

/// A word's name, before its version: `name/1.0`, `name#1.0`, `name:1.0`.
struct Name<'a> {
    name: &'a str,
    has_version: bool,
}

impl<'a> Name<'a> {
    fn of(word: &'a str) -> Name<'a> {
        let word = within(word);
        let (name, has_version) = word.split_once(['/', '#', ':']).map_or((word, false), |(name, _)| (name, true));
        Name { name, has_version }
    }

    /// `name` is the name, `name/` is it with a version, `name*` may go on with anything but a letter (`name-cli/1.0`), and `*name` ends it.
    fn is(&self, pattern: &str) -> bool {
        let Name { name, has_version } = self;
        if let Some(known) = pattern.strip_suffix('/') {
            *has_version && name.eq_ignore_ascii_case(known)
        } else if let Some(start) = pattern.strip_suffix('*') {
            after(start, name).is_some_and(|rest| !rest.starts_with(char::is_alphabetic))
        } else if let Some(end) = pattern.strip_prefix('*') {
            name.len()
                .checked_sub(end.len())
                .and_then(|at| name.get(at..))
                .is_some_and(|rest| rest.eq_ignore_ascii_case(end))
        } else {
            name.eq_ignore_ascii_case(pattern)
        }
    }
}

/// Whether a product is named, by one name or by two in a row.
fn occurs(pattern: &str, names: &[Name<'_>]) -> bool {
    match pattern.split_once(' ') {
        None => names.iter().any(|name| name.is(pattern)),
        Some((first, second)) => names.windows(2).any(|pair| matches!(pair, [a, b] if a.is(first) && b.is(second))),
    }
}

/// What follows a prefix in either case.
fn after<'a>(prefix: &str, text: &'a str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// A service's name is all there is: `cloudformation.amazonaws.com`, `console.ec2.amazonaws.com`.
fn service(user_agent: &str) -> Option<(&'static str, Kind)> {
    let name = user_agent.trim_matches(['[', ']']);
    let is_console = || ["console.", "signin."].iter().any(|start| name.starts_with(start));
    super::address::is_service(name).then(|| (if is_console() { "AWS console" } else { "AWS service" }, Kind::Aws))
}

#[cfg(test)]
mod tests;
