//! What replaces an access key, told from its callers.

use super::{
    address::AddressClass,
    agent::{Agent, Kind, Place},
};

/// Advice and AWS's page about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    pub(crate) text: &'static str,
    pub(crate) page: &'static str,
}

/// One line of advice for a key: what replaces it for each kind of caller, the one with the most events first. `None` without a caller.
///
/// `callers` are agent, address and number of events.
pub(crate) fn replacement<'a>(callers: impl IntoIterator<Item = (&'a Agent, &'a AddressClass, u64)>) -> Option<String> {
    let mut found: Vec<(&'static Advice, u64)> = Vec::new();
    for (agent, address, events) in callers {
        let advice = advice(agent, *address);
        match found.iter_mut().find(|(known, _)| *known == advice) {
            Some((_, sum)) => *sum = sum.saturating_add(events),
            None => found.push((advice, events)),
        }
    }
    // Stable: callers with equal numbers stay in the order given.
    found.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
    let sentences: Vec<String> = found.iter().map(|(Advice { text, page }, _)| format!("{text} ({page})")).collect();
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

fn advice(agent: &Agent, address: AddressClass) -> &'static Advice {
    match (agent.kind(), agent.place()) {
        (Kind::GitHub, _) => &GITHUB,
        (_, Some(Place::Lambda)) => &LAMBDA,
        (_, Some(Place::Ecs | Place::Fargate)) => &ECS,
        (_, Some(Place::Ec2)) => &EC2,
        (Kind::Mobile, _) => &COGNITO,
        (Kind::Cli | Kind::Desktop | Kind::Console, _) => &LOGIN,
        _ if address == AddressClass::Public => &ANYWHERE,
        _ => &EC2,
    }
}

const GITHUB: Advice = Advice {
    text: "GitHub Actions: a role for its OIDC provider",
    page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html",
};
const LAMBDA: Advice = Advice {
    text: "Lambda: the function's execution role",
    page: "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html",
};
const ECS: Advice = Advice {
    text: "ECS: a task role",
    page: "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html",
};
const CODEBUILD: Advice = Advice {
    text: "CodeBuild: the project's service role",
    page: "https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html",
};
const EC2: Advice = Advice {
    text: "EC2: an instance profile",
    page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2.html",
};
const COGNITO: Advice = Advice {
    text: "a mobile app: Amazon Cognito",
    page: "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-identity.html",
};
const LOGIN: Advice = Advice {
    text: "a person: `aws login` or IAM Identity Center",
    page: "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html",
};
const ANYWHERE: Advice = Advice {
    text: "a server outside AWS: IAM Roles Anywhere",
    page: "https://docs.aws.amazon.com/rolesanywhere/latest/userguide/introduction.html",
};
