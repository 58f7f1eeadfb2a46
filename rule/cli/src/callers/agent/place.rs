//! Where a program runs, as far as its user agent says so.

use super::{after, within};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Lambda,
    /// Amazon ECS on Fargate.
    Fargate,
    /// Amazon ECS on EC2, or a build of CodeBuild: both have `AWS_ECS_EC2`.
    Ecs,
    CloudShell,
    /// Amazon Linux, or Ubuntu as AWS offers it: EC2, or a container there.
    Ec2,
    /// Ubuntu's kernel for Azure, which GitHub's own runners have too.
    Azure,
    /// Google's or Ubuntu's kernel for Google Cloud.
    GoogleCloud,
    /// macOS, Windows 10 or 11, or Linux within Windows.
    Workstation,
}

impl Place {
    /// What AWS sets tells more than the operating system.
    pub(super) fn of(words: &[&str]) -> Option<Place> {
        words
            .iter()
            .find_map(|word| Place::named(word))
            .or_else(|| words.iter().find_map(|word| Place::by_system(word)))
    }

    /// By `AWS_EXECUTION_ENV`.
    fn named(word: &str) -> Option<Place> {
        let value = within(word);
        if value == word {
            return None;
        }
        [
            ("AWS_Lambda_", Place::Lambda),
            ("AWS_ECS_FARGATE", Place::Fargate),
            ("AWS_ECS_EC2", Place::Ecs),
            ("CloudShell", Place::CloudShell),
        ]
        .into_iter()
        .find(|(name, _)| after(name, value).is_some())
        .map(|(_, place)| place)
    }

    /// By the operating system and its version: `Linux/5.10.201-191.748.amzn2.x86_64`, `os/linux#5.4.0-1045-aws`, `Darwin/20.3.0`.
    fn by_system(word: &str) -> Option<Place> {
        let word = after("os/", word).unwrap_or(word);
        let (name, version) = word.split_once(['/', '#']).unwrap_or((word, ""));
        let is = |known: &[&str]| known.iter().any(|known| name.eq_ignore_ascii_case(known));
        if is(&["linux"]) {
            version.split(['.', '-', '_']).find_map(|part| match part {
                "aws" | "amzn1" | "amzn2" | "amzn2023" => Some(Place::Ec2),
                "azure" => Some(Place::Azure),
                "gcp" | "gke" => Some(Place::GoogleCloud),
                "microsoft" | "Microsoft" => Some(Place::Workstation),
                _ => None,
            })
        } else if is(&["darwin", "macos", "Mac_OS_X"]) || is(&["windows"]) && ["10", "11"].contains(&version) {
            Some(Place::Workstation)
        } else {
            None
        }
    }
}
