//! What a CloudTrail event's `userAgent` says of the program that called. The caller chooses this text, so it is a hint and never a proof.
//!
//! `products.rs` has the classes.

mod products;

use products::PRODUCTS;

/// A caller's program, and where it runs as far as the user agent says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    class: &'static str,
    kind: Kind,
    place: Option<Place>,
}

/// What a program is for: this decides what replaces its access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An AWS SDK, with nothing that names the program.
    Sdk,
    /// The AWS CLI and AWS Tools for PowerShell: people and scripts.
    Cli,
    /// A person at a screen.
    Desktop,
    /// A web browser or AWS's console.
    Console,
    /// Deploys infrastructure, by hand or in a CI system.
    Deployment,
    GitHub,
    GitLab,
    Buildkite,
    CircleCi,
    Bitbucket,
    Jenkins,
    AzureDevOps,
    Mobile,
    /// Another company's service, or a program that watches accounts.
    Monitoring,
    /// Runs in a Kubernetes cluster.
    Kubernetes,
    /// AWS itself, on behalf of the key's user.
    Service,
    /// A server of one's own: databases, backups, brokers.
    Server,
    Http,
    Unknown,
}

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Lambda,
    Ecs,
    CodeBuild,
    CloudShell,
    /// Amazon Linux's kernel, or Ubuntu's for AWS: EC2, or a container there.
    Ec2,
    Azure,
    GoogleCloud,
    /// macOS or Windows other than Windows Server: somebody's computer.
    Workstation,
}

impl Agent {
    /// Reads CloudTrail's `userAgent`, which may be any text.
    pub(crate) fn of(user_agent: &str) -> Agent {
        let words: Vec<&str> = words(user_agent).collect();
        let place = words
            .iter()
            .find_map(|word| Place::named(word))
            .or_else(|| words.iter().find_map(|word| Place::by_system(word)));
        let product = PRODUCTS.iter().find(|(pattern, ..)| occurs(pattern, &words));
        let (class, kind) = match product {
            Some((_, class, kind)) => (*class, *kind),
            None if is_service(&words) => ("AWS service", Kind::Service),
            None => ("unknown", Kind::Unknown),
        };
        Agent { class, kind, place }
    }

    /// The class, for tables and JSON's `agentClass`: "AWS SDK for Python", "Terraform", "unknown" …
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

impl Place {
    /// By what AWS sets as `AWS_EXECUTION_ENV`.
    fn named(word: &str) -> Option<Place> {
        let (name, value) = word.split_once('/')?;
        if !["exec-env", "exec_env"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return None;
        }
        [
            ("AWS_Lambda_", Place::Lambda),
            ("AWS_ECS_", Place::Ecs),
            ("CloudShell", Place::CloudShell),
            ("EC2", Place::Ec2),
        ]
        .into_iter()
        .find(|(prefix, _)| starts_with(value, prefix))
        .map(|(_, place)| place)
    }

    /// By the operating system's name and its kernel's version.
    fn by_system(word: &str) -> Option<Place> {
        let (name, version) = word.strip_prefix("os/").unwrap_or(word).split_once(['/', '#'])?;
        if name.eq_ignore_ascii_case("linux") {
            // `5.10.201-191.748.amzn2.x86_64`, `5.4.0-1045-aws`
            let parts = || version.split(['.', '-', '_']);
            return parts().find_map(|part| match part {
                "aws" => Some(Place::Ec2),
                "azure" => Some(Place::Azure),
                "gcp" | "gke" => Some(Place::GoogleCloud),
                part if starts_with(part, "amzn") => Some(Place::Ec2),
                part if part.eq_ignore_ascii_case("wsl2") => Some(Place::Workstation),
                _ => None,
            });
        }
        ["darwin", "macos", "mac_os_x"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
            .then_some(Place::Workstation)
    }
}

/// The parts of a user agent, without what encloses or separates them.
fn words(user_agent: &str) -> impl Iterator<Item = &str> {
    user_agent
        .split(|c: char| c.is_whitespace() || c == ',')
        .map(|word| word.trim_matches(['[', ']', '(', ')', ';', '"', '\'']))
        .filter(|word| !word.is_empty())
}

/// Whether a product is named. `name` is a word alone or before a version (`name/1.0`); `name/` has a version; `name*` begins the name
/// before a version. Two names are two words in a row.
fn occurs(pattern: &str, words: &[&str]) -> bool {
    let pattern: Vec<&str> = pattern.split(' ').collect();
    words.windows(pattern.len()).any(|window| window.iter().zip(&pattern).all(|(word, part)| is_named(part, word)))
}

fn is_named(part: &str, word: &str) -> bool {
    let (name, version) = word.split_once('/').map_or((word, None), |(name, version)| (name, Some(version)));
    match (part.strip_suffix('/'), part.strip_suffix('*')) {
        (Some(part), _) => version.is_some() && name.eq_ignore_ascii_case(part),
        (_, Some(part)) => version.is_some() && starts_with(name, part),
        _ => name.eq_ignore_ascii_case(part),
    }
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// A service's name is all there is: `cloudformation.amazonaws.com`.
fn is_service(words: &[&str]) -> bool {
    matches!(words, [word] if super::address::is_service(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_telling_product_wins() {
        for (user_agent, class) in [
            (
                "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io) terraform-provider-aws/5.0.0 aws-sdk-go/1.44.0 (go1.19; linux; amd64)",
                "Terraform",
            ),
            ("aws-cli/1.16.14 Python/2.7.5 Linux/3.10.0 botocore/1.12.4", "AWS CLI"),
            ("[Boto3/1.9.0 Python/2.7 Linux/4 Botocore/1.12.0]", "AWS SDK for Python"),
            ("cloudformation.amazonaws.com", "AWS service"),
            ("curlew/1", "unknown"),
            ("", "unknown"),
            ("-", "unknown"),
        ] {
            assert_eq!(Agent::of(user_agent).class(), class, "{user_agent}");
        }
    }
}
