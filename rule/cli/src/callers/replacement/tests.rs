use super::*;
use std::collections::BTreeSet;

/// AWS's pages that the advice leads to, each looked up before it came into this list.
const PAGES: &str = "
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html#idp_oidc_Create_GitHub
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/security-creds-programmatic-access.html#security-creds-alternatives-to-long-term-access-keys
https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html
https://docs.aws.amazon.com/codebuild/latest/userguide/setting-up-service-role.html
https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-identity.html
https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html
https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
https://docs.aws.amazon.com/rolesanywhere/latest/userguide/introduction.html
";

fn advise(user_agent: &str, address: AddressClass) -> String {
    replacement([(&Agent::of(user_agent), &address, 1)]).unwrap()
}

#[test]
fn each_kind_of_caller_has_its_replacement() {
    use AddressClass::{AwsService, Private, Public, Unknown, VpcEndpoint};
    let cli = "aws-cli/2.15.0 Python/3.11.4";
    let terraform = "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 aws-sdk-go-v2/1.18.0 os/linux";
    let mut pages = BTreeSet::new();
    for (user_agent, address, expected) in [
        ("Boto3/1.26.90 Linux/4.14.amzn2.x86_64 exec-env/AWS_Lambda_python3.7", Public, "In AWS Lambda, "),
        (
            "aws-sdk-nodejs/2.1 linux/v16 exec-env/AWS_ECS_FARGATE promise",
            VpcEndpoint,
            "In Amazon ECS, use a task role (",
        ),
        ("aws-cli/2.15.7 exec-env/AWS_ECS_EC2", Public, "In Amazon ECS, use a task role; in AWS CodeBuild, "),
        ("Boto3/1.6.2 Linux/4.4.35-33.55.amzn1.x86_64", Public, "On Amazon EC2, "),
        ("aws-sdk-go/1.4 karpenter.sh-1.0.0", Private, "In Amazon EKS, "),
        ("aws-sdk-nodejs/2.1 configure-aws-credentials-for-github-actions promise", Public, "In GitHub Actions, "),
        ("buildkite-agent/3.1 aws-sdk-go/1.4", Public, "In the CI system, "),
        (terraform, Public, "In a pipeline, "),
        ("Terraform/1.5 aws-sdk-go/1.4 (go1.19; darwin; arm64)", Public, "On your own computer, "),
        ("Terraform/1.5 Linux/5.4.0-1045-aws", Public, "On Amazon EC2, "),
        ("aws-cli/2.4 Windows/10 exe/AMD64", Public, "On your own computer, "),
        ("aws-cli/2.4 Linux/4.14.amzn2 exec-env/CloudShell", Public, "On your own computer, "),
        ("S3 Browser/11.4.5 (https://s3browser.com)", Public, "On your own computer, "),
        (cli, Public, "If a person types the commands, "),
        (cli, Private, "If a person types the commands, "),
        ("Boto3/1.2 Linux/6.5.0-1018-azure", Public, "In another cloud, "),
        ("Boto3/1.2 Linux/6.1.0-18-amd64", Public, "On a server outside AWS, "),
        ("Boto3/1.2 Linux/6.1.0-18-amd64", Private, "In your VPC, "),
        ("Boto3/1.2 Linux/6.1.0-18-amd64", VpcEndpoint, "In your VPC, "),
        ("Boto3/1.2", Unknown, "Ask the key's owner "),
        ("Datadog", Public, "Let another company's service "),
        ("Datadog", Private, "In your VPC, "),
        ("aws-sdk-iOS/2.27.6 iOS/18.0.1 en_US", Public, "In an app "),
        ("Mozilla/5.0 (X11; Linux x86_64)", Public, "In an app "),
        ("curlew/1", Public, "Ask the key's owner "),
        ("curlew/1", VpcEndpoint, "In your VPC, "),
        ("cloudformation.amazonaws.com", AwsService, "AWS made these calls "),
        ("AWS Internal", Public, "AWS made these calls "),
        ("Boto3/1.2", AwsService, "AWS made these calls "),
    ] {
        let advice = advise(user_agent, address);
        assert!(advice.starts_with(expected), "{user_agent} {address:?}: {advice}");
        assert!(advice.ends_with(")."), "{advice}");
        pages.extend(advice.split(['(', ',', ')', ' ']).filter(|part| part.starts_with("https:")).map(str::to_owned));
    }
    assert_eq!(pages, PAGES.lines().skip(1).map(str::to_owned).collect());
}

#[test]
fn the_caller_with_the_most_events_comes_first_and_each_advice_once() {
    let [boto, lambda, terraform, service] =
        ["Boto3/1.2", "Boto3/1.2 exec-env/AWS_Lambda_python3.12", "Terraform/1.5", "AWS Internal"].map(Agent::of);
    let (public, private) = (AddressClass::Public, AddressClass::Private);
    let line = |callers: &[(&Agent, &AddressClass, u64)]| replacement(callers.iter().copied());
    assert_eq!(line(&[]), None);
    let both =
        line(&[(&lambda, &public, 3), (&terraform, &public, 2), (&lambda, &private, 1), (&terraform, &private, 3)]);
    assert_eq!(
        both.unwrap(),
        "In a pipeline, assume a role through the CI system's OIDC provider; on your own computer, use `aws login` \
         (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html, \
         https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html). \
         In AWS Lambda, use the function's execution role \
         (https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html)."
    );
    // Calls of AWS on somebody's behalf have their cause among the other callers.
    assert_eq!(line(&[(&service, &public, 9), (&boto, &public, 1)]), line(&[(&boto, &public, 1)]));
    assert!(
        line(&[(&boto, &public, u64::MAX), (&boto, &public, 1), (&lambda, &public, 5)])
            .unwrap()
            .starts_with("On a server")
    );
}
