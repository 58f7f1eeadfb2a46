use super::*;
use std::collections::BTreeSet;

/// Real user agents: the text, the class that somebody who knows them gives it, the part of the corpus, and where it was seen. The classes
/// were written with `first`. `second` was collected afterwards from other sources: 48 of its 57 lines were right at once, and what the others
/// showed went into the classes. `third` was collected after that: all 21 lines were right.
const CORPUS: &str = include_str!("../../../../../tests/fixtures/callers/user-agents.csv");

/// Lines of the corpus whose class is not found, with why.
const MISSES: &[(&str, &str)] = &[("Packer v0.5.2", "a version of 2014 that ends its name with a space")];

#[test]
fn the_classes_of_real_user_agents_are_found() {
    let mut corpus = csv::Reader::from_reader(CORPUS.as_bytes());
    let lines: Vec<(String, String, String, String)> = corpus.deserialize().collect::<Result<_, _>>().unwrap();
    let missed: BTreeSet<_> =
        lines.iter().filter(|line| class(&line.0) != line.1).map(|line| line.0.as_str()).collect();
    assert_eq!(missed, MISSES.iter().map(|(user_agent, _)| *user_agent).collect());
    assert!(lines.len() >= 100 && missed.len() * 20 <= lines.len(), "{}", lines.len());
    assert_eq!(lines.iter().map(|line| &line.0).collect::<BTreeSet<_>>().len(), lines.len(), "one line for each");
    for (user_agent, _, part, source) in &lines {
        assert!(
            ["first", "second", "third"].contains(&part.as_str()) && source.starts_with("https://"),
            "{user_agent}"
        );
    }
}

fn class(user_agent: &str) -> &'static str {
    Agent::of(user_agent).class()
}

#[test]
fn a_product_is_a_whole_word_with_a_version_and_not_a_part_of_one() {
    for unknown in [
        "",
        "-",
        "curlew/1",
        "my-curl/1",
        "curl",
        "terraform",
        "Terraforming/1.0",
        "Datadoggy/1",
        "Vault/1.0",
        "Packer/2",
        "md/Boto3#1.0",
        "app/Terraform/1.0",
        "cloudformation.amazonaws.com.evil.example",
        "x cloudformation.amazonaws.com",
        "amazonaws.com",
        ".amazonaws.com",
        "S3  and a Browser",
        "Internal AWS",
    ] {
        assert_eq!(class(unknown), "unknown", "{unknown}");
    }
    for (user_agent, expected) in [
        ("CURL/8.1", "curl"),
        ("[aws-cli/1.11.10, x]", "AWS CLI"),
        ("lib/boto3#1.0", "AWS SDK for Python"),
        ("Datadog", "Datadog"),
        ("s3.amazonaws.com", "AWS service"),
        ("states.amazonaws.com.cn", "AWS service"),
        ("[console.amazonaws.com]", "AWS console"),
    ] {
        assert_eq!(class(user_agent), expected, "{user_agent}");
    }
}

#[test]
fn a_user_agent_may_say_where_its_program_runs() {
    let place = |user_agent| Agent::of(user_agent).place();
    for (user_agent, expected) in [
        (
            "Boto3/1.17.101 Python/3.8.10 Linux/4.14.231-180.360.amzn2.x86_64 exec-env/AWS_Lambda_python3.8 Botocore/1.20.102",
            Place::Lambda,
        ),
        ("aws-sdk-nodejs/2.1363.0 linux/v16.20.2 exec-env/AWS_ECS_FARGATE promise", Place::Fargate),
        ("aws-cli/2.15.7 Python/3.11.6 Linux/4.18.0-348.el8.x86_64 exec-env/AWS_ECS_EC2", Place::Ecs),
        (
            "aws-cli/2.13.5 Linux/4.14.255-314-253.539.amzn2.x86_64 exec-env/CloudShell exe/x86_64.amzn.2",
            Place::CloudShell,
        ),
        ("Boto3/1.6.2 Python/3.4.3 Linux/4.4.35-33.55.amzn1.x86_64 Botocore/1.9.2 Resource", Place::Ec2),
        ("aws-cli/1.18.69 Python/3.5.2 Linux/4.4.0-1128-aws botocore/1.16.19", Place::Ec2),
        ("Boto3/1.28.62 md/Botocore#1.31.62 ua/2.0 os/macos#22.4.0 md/arch#arm64", Place::Workstation),
        (
            "aws-cli/2.4.21 Python/3.8.8 Linux/5.10.16.3-microsoft-standard-WSL2 exe/x86_64.ubuntu.20",
            Place::Workstation,
        ),
        ("aws-cli/2.4.23 Python/3.8.8 Windows/10 exe/AMD64 prompt/off command/iam.list-users", Place::Workstation),
        ("aws-cli/2.15.0 Python/3.11 Linux/6.5.0-1018-azure", Place::Azure),
    ] {
        assert_eq!(place(user_agent), Some(expected), "{user_agent}");
    }
    for nothing in [
        "",
        "aws-cli/2 Linux/5.10.0-13-amd64",
        "aws-sdk-go/1.15.12 (go1.12.6; linux; amd64)",
        "os/linux",
        "Linux/aws2",
        "AWS_Lambda_x",
    ] {
        assert_eq!(place(nothing), None, "{nothing}");
    }
}

/// Numbers that look random and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn text(&mut self, pieces: &[&str]) -> String {
        let length = [3, 20, 100][self.below(3)];
        (0..length).map(|_| pieces[self.below(pieces.len())]).collect()
    }
}

#[test]
fn any_text_has_a_class_and_more_words_never_hide_a_product() {
    let rank = |text: &str| {
        let names: Vec<Name<'_>> = words(text).map(Name::of).collect();
        PRODUCTS.iter().position(|(pattern, ..)| occurs(pattern, &names)).unwrap_or(PRODUCTS.len())
    };
    let mut pieces = vec![
        " ",
        " ",
        "/",
        "/1.0",
        "#",
        ":",
        ",",
        "[",
        "]",
        "(",
        ")",
        ";",
        "*",
        "-",
        "_",
        ".",
        "\0",
        "\n",
        "\t",
        "\u{1b}[2J",
        "\u{202e}",
        "é",
        "🔑",
        "\u{a0}",
        "K",
        "exec-env/",
        "lib/",
        "md/",
        "os/",
        "Linux/",
        "linux#",
        "AWS_Lambda_",
        "amzn2",
        "Windows/",
        ".amazonaws.com",
        "console.",
        "x",
    ];
    pieces
        .extend(PRODUCTS.iter().flat_map(|(pattern, ..)| pattern.split(' ')).map(|part| part.trim_matches(['*', '/'])));
    let mut chance = Chance(20_260_301);
    for _ in 0..2_000 {
        let (text, more) = (chance.text(&pieces), chance.text(&pieces));
        assert!(rank(&format!("{text} {more}")) <= rank(&text), "{text:?} {more:?}");
        assert_eq!(class(&text) == "unknown", rank(&text) == PRODUCTS.len() && service(&text).is_none(), "{text:?}");
    }
    for huge in ["a", " ", "/", "aws-cli/", "[", "é", "\u{1b}", "S3 "].map(|piece| piece.repeat(10_000)) {
        assert!(["unknown", "AWS CLI"].contains(&class(&huge)));
    }
}

#[test]
fn no_product_is_behind_another_one() {
    for (pattern, expected, _) in PRODUCTS {
        let example = pattern.split(' ').map(|part| match part.chars().last() {
            Some('/') => format!("{part}1.0"),
            Some('*') => part.replace('*', "-x/1.0"),
            _ => part.replace('*', "x"),
        });
        let example = example.collect::<Vec<_>>().join(" ");
        assert_eq!(class(&example), *expected, "{example}");
    }
}
