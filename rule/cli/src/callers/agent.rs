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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    class: &'static str,
    kind: Kind,
    place: Option<Place>,
}

/// What a program is for: this decides what replaces its access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An SDK, with nothing that names the program.
    Sdk,
    /// The AWS CLI or AWS Tools for PowerShell, of a person or in a script.
    Cli,
    /// A program with windows: a person uses it.
    Desktop,
    /// AWS's console or another page in a browser.
    Console,
    /// Deploys, on a person's computer or in a CI system.
    Deployment,
    GitHub,
    GitLab,
    Buildkite,
    Jenkins,
    AzureDevOps,
    Mobile,
    /// Watches accounts, often as another company's service.
    Monitoring,
    /// Belongs to a Kubernetes cluster.
    Kubernetes,
    /// Runs on servers.
    Server,
    /// AWS, on somebody's behalf.
    Service,
    /// Signs its requests without an SDK.
    Http,
    Unknown,
}

impl Agent {
    /// Reads CloudTrail's `userAgent`, which may be any text.
    pub(crate) fn of(user_agent: &str) -> Agent {
        let words: Vec<&str> = words(user_agent).collect();
        let names: Vec<&str> = words.iter().map(|word| within(word)).collect();
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
    ["exec-env/", "exec_env/", "lib/"].iter().find_map(|prefix| word.strip_prefix(prefix)).unwrap_or(word)
}

/// Whether the words name a product. In a pattern, `name` is a word alone or before its version (`name/1.0`, `name#1.0`, `name:1.0`),
/// `name/` must have a version, `name*` may go on with anything but a letter (`name-cli/1.0`), and `*name` ends the name. Two names are two
/// words in a row.
fn occurs(pattern: &str, words: &[&str]) -> bool {
    let parts: Vec<&str> = pattern.split(' ').collect();
    words.windows(parts.len()).any(|window| window.iter().zip(&parts).all(|(word, part)| is_named(part, word)))
}

fn is_named(part: &str, word: &str) -> bool {
    let name = word.split(['/', '#', ':']).next().unwrap_or(word);
    if let Some(part) = part.strip_suffix('/') {
        name.len() < word.len() && name.eq_ignore_ascii_case(part)
    } else if let Some(part) = part.strip_suffix('*') {
        after(part, name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic()))
    } else if let Some(part) = part.strip_prefix('*') {
        name.len()
            .checked_sub(part.len())
            .and_then(|start| name.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(part))
    } else {
        name.eq_ignore_ascii_case(part)
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
    super::address::is_service(name)
        .then(|| if is_console() { ("AWS console", Kind::Console) } else { ("AWS service", Kind::Service) })
}

#[cfg(test)]
mod tests;
