use super::*;

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
