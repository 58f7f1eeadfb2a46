//! What replaces an access key, told from its callers, with AWS's page about it.

use super::{
    address::AddressClass,
    agent::{Agent, Kind, Place},
};
use std::cmp::Reverse;

/// A sentence without its full stop, and AWS's pages about it.
struct Advice {
    text: &'static str,
    pages: &'static [&'static str],
}

/// One line of advice for a key: a sentence for each kind of caller, the one with the most events first. `None` without a caller.
///
/// `callers` are agent, address and number of events. Alternatives to access keys:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/security-creds-programmatic-access.html>
pub(crate) fn replacement<'a>(callers: impl IntoIterator<Item = (&'a Agent, &'a AddressClass, u64)>) -> Option<String> {
    let mut found: Vec<(&Advice, u64)> = Vec::new();
    for (agent, address, events) in callers {
        let advice = advice(agent, *address);
        match found.iter_mut().find(|(known, _)| known.text == advice.text) {
            Some((_, sum)) => *sum = sum.saturating_add(events),
            None => found.push((advice, events)),
        }
    }
    // The call that made AWS call is among the other callers.
    if found.len() > 1 {
        found.retain(|(advice, _)| advice.text != FORWARDED.text);
    }
    found.sort_by_key(|(_, events)| Reverse(*events));
    let sentences: Vec<_> =
        found.iter().map(|(Advice { text, pages }, _)| format!("{text} ({}).", pages.join(", "))).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn advice(agent: &Agent, address: AddressClass) -> &'static Advice {
    use AddressClass::{AwsService, Private, Public, VpcEndpoint};
    match (agent.kind(), agent.place(), address) {
        (_, _, AwsService) | (Kind::Aws, ..) => &FORWARDED,
        (Kind::GitHub, ..) => &GITHUB,
        (Kind::Ci, ..) => &CI,
        (Kind::App, ..) => &APP,
        (Kind::Desktop, ..) => &PERSON,
        (_, Some(Place::Lambda), _) => &FUNCTION,
        (_, Some(Place::Fargate), _) => &TASK,
        (_, Some(Place::Ecs), _) => &TASK_OR_BUILD,
        (_, Some(Place::CloudShell | Place::Workstation), _) => &PERSON,
        (Kind::Kubernetes, ..) => &POD,
        (_, Some(Place::Ec2), _) => &INSTANCE,
        (Kind::Deployment, ..) => &PIPELINE,
        (_, Some(Place::Azure | Place::GoogleCloud), _) => &OTHER_CLOUD,
        (Kind::Monitoring, None, Public) => &THIRD_PARTY,
        (Kind::Cli, None, _) => &COMMAND_LINE,
        (_, None, Private | VpcEndpoint) => &NETWORK,
        (Kind::Program, None, Public) => &SERVER,
        (Kind::Program | Kind::Monitoring | Kind::Unknown, None, _) => &FIND_OUT,
    }
}

const ALTERNATIVES: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/security-creds-programmatic-access.html#security-creds-alternatives-to-long-term-access-keys";
const OIDC: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html";
const SIGN_IN: &str = "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html";
const TASK_ROLE: &str = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html";

const FUNCTION: Advice = Advice {
    text: "In AWS Lambda, use the function's execution role",
    pages: &["https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"],
};
const TASK: Advice = Advice { text: "In Amazon ECS, use a task role", pages: &[TASK_ROLE] };
const TASK_OR_BUILD: Advice = Advice {
    text: "In Amazon ECS, use a task role; in AWS CodeBuild, the project's service role",
    pages: &[TASK_ROLE, "https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html"],
};
const POD: Advice = Advice {
    text: "In Amazon EKS, use EKS Pod Identity",
    pages: &["https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html"],
};
const INSTANCE: Advice = Advice {
    text: "On Amazon EC2, use an instance profile",
    pages: &["https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2.html"],
};
const NETWORK: Advice = Advice {
    text: "In your VPC, use the role of what runs there: an instance profile, a task role or EKS Pod Identity",
    pages: &[ALTERNATIVES],
};
const SERVER: Advice = Advice {
    text: "On a server outside AWS, use IAM Roles Anywhere; on AWS, the role of what runs there",
    pages: &["https://docs.aws.amazon.com/rolesanywhere/latest/userguide/introduction.html", ALTERNATIVES],
};
const OTHER_CLOUD: Advice =
    Advice { text: "In another cloud, assume a role through that cloud's OIDC provider", pages: &[OIDC] };
const GITHUB: Advice = Advice {
    text: "In GitHub Actions, assume a role through GitHub's OIDC provider",
    pages: &[
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html#idp_oidc_Create_GitHub",
    ],
};
const CI: Advice = Advice { text: "In the CI system, assume a role through its OIDC provider", pages: &[OIDC] };
const PIPELINE: Advice = Advice {
    text: "In a pipeline, assume a role through the CI system's OIDC provider; on your own computer, use `aws login`",
    pages: &[OIDC, SIGN_IN],
};
const PERSON: Advice =
    Advice { text: "On your own computer, use `aws login`, or IAM Identity Center", pages: &[SIGN_IN] };
const COMMAND_LINE: Advice = Advice {
    text: "If a person types the commands, use `aws login`, or IAM Identity Center; if a script does, the role of what it runs on",
    pages: &[SIGN_IN, ALTERNATIVES],
};
const APP: Advice = Advice {
    text: "In an app on somebody's phone or in a browser, use an Amazon Cognito identity pool",
    pages: &["https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-identity.html"],
};
const THIRD_PARTY: Advice = Advice {
    text: "Let another company's service assume a role with an external ID",
    pages: &["https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html"],
};
const FORWARDED: Advice = Advice {
    text: "AWS made these calls for somebody who called a service with this key: find that call, in this account's trail",
    pages: &["https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html"],
};
const FIND_OUT: Advice = Advice {
    text: "Ask the key's owner what runs at this address, then choose from AWS's alternatives",
    pages: &[ALTERNATIVES],
};

#[cfg(test)]
mod tests;
