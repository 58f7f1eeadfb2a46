//! `pack`: the filled-in conformance pack is the original with these parameters, and the AWS CLI takes the call for it.

use crate::{
    cli::{command_line, said},
    cloudformation::Stack,
    deployed::python,
    transcript::Transcript,
};
use policy::parameters::{PARAMETERS, Takes};
use serde_json::{Value, json};
use std::{fs, path::Path, process::Command};
use tempfile::TempDir;

const FUNCTION: &str = "arn:aws-cn:lambda:cn-north-1:111122223333:function:access-key-rotation:live";

fn pack(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(command_line());
    command.arg("pack").args(arguments).env_clear().current_dir(directory);
    said(command.output().unwrap())
}

/// Runs a Python program with these arguments; gives the JSON that it prints.
fn program(text: &str, arguments: &[&str]) -> Value {
    let mut python = python();
    python.args(["-B", "-W", "ignore", "-c", text]).args(arguments);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_pack_resolves_to_what_the_original_does_with_the_same_parameters() {
    let original =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance-pack/access-key-rotation.yaml"));
    let original = original.unwrap();
    // What the manual's sed makes of it.
    let automatic = original
        .replace("#automatic# ", "")
        .replace("arn:aws:iam::MANAGEMENT_ACCOUNT_ID:role/", "arn:aws-cn:iam::123456789012:role/a/b-c_d/");
    let directory = TempDir::new().unwrap();
    let function = json!({ "FunctionArn": FUNCTION });
    let mut all = json!({ "FunctionArn": FUNCTION, "Frequency": "Six_Hours", "QuietDays": "7" });
    let mut options = ["--frequency", "Six_Hours", "--quiet-days", "7"].map(str::to_owned).to_vec();
    for parameter in &PARAMETERS {
        let value = match parameter.takes {
            Takes::Days { most, .. } => most.to_string(),
            Takes::OneOf(words) => words.last().unwrap().to_string(),
        };
        assert_ne!(value, parameter.default(), "{}", parameter.name);
        let words = parameter
            .name
            .chars()
            .map(|c| if c.is_ascii_uppercase() { format!("-{}", c.to_ascii_lowercase()) } else { c.to_string() });
        // The case of a value is ignored.
        options.extend([format!("--{}", words.collect::<String>()), value.to_uppercase()]);
        all[parameter.name[..1].to_uppercase() + &parameter.name[1..]] = value.into();
    }
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let remediation = ["--automatic-remediation", "123456789012", "--role-path", "/a/b-c_d/"];
    let mut all_and_remediation = all.clone();
    all_and_remediation["AutomaticRemediation"] = "true".into();
    let mut last = None;
    for (options, text, values) in [
        (&[][..], &original, function),
        (&options, &original, all),
        (&[&options[..], &remediation].concat(), &automatic, all_and_remediation),
    ] {
        let (status, pack, _) = pack(directory.path(), &[&["--function-arn", FUNCTION], options].concat());
        assert_eq!(status, Some(0));
        let resources = Stack::new(text, &values).resources(|_| true);
        assert_eq!(Stack::new(&pack, &json!({})).resources(|_| true), resources);
        last = Some(resources);
    }
    let parameters = &last.unwrap()["Remediation"]["Properties"]["Parameters"];
    let role = "arn:aws-cn:iam::123456789012:role/a/b-c_d/access-key-rotation-remediation";
    assert_eq!(parameters["AutomationAssumeRole"]["StaticValue"]["Values"][0], role);
}

/// Runs the shell commands in the second argument, in the directory in the first, against moto; prints the organization's packs, and the
/// templates that came inline.
const DEPLOY: &str = r#"
import json, os, pathlib, subprocess, sys, urllib.request
import boto3
from moto.config.models import ConfigBackend
from moto.server import ThreadedMotoServer

bodies, put = {}, ConfigBackend.put_organization_conformance_pack


def put_inline(self, **given):
    """moto wants an S3 URI besides the body."""
    bodies[given["name"]] = given["template_body"]
    return put(self, **given | {"template_s3_uri": "s3://none"})


ConfigBackend.put_organization_conformance_pack = put_inline

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
endpoint = "http://{}:{}".format(*server.get_host_and_port())
os.environ.update({
    "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_PAGER": "",
    "PATH": f"{pathlib.Path('target/venv/bin').absolute()}:{os.environ['PATH']}",
})
boto3.client("organizations", region_name="eu-central-1").create_organization(FeatureSet="ALL")
run = subprocess.run(["bash", "-euc", sys.argv[2]], cwd=sys.argv[1], capture_output=True, text=True)
assert run.returncode == 0, run.stderr
config = boto3.client("config", region_name="eu-central-1")
packs = config.describe_organization_conformance_packs(OrganizationConformancePackNames=list(bodies))
server.stop()
print(json.dumps({"packs": packs["OrganizationConformancePacks"], "bodies": bodies}, default=str))
"#;

#[test]
fn the_aws_cli_takes_the_printed_call_with_the_printed_pack() {
    let directory = TempDir::new().unwrap();
    let function = "arn:aws:lambda:eu-central-1:111122223333:function:access-key-rotation";
    let options = ["--function-arn", function, "--name", "keys", "--excluded-accounts", "123456789012", "210987654321"];
    let (status, text, error) = pack(directory.path(), &options);
    assert_eq!(status, Some(0));
    let mut transcript = Transcript::default();
    transcript.add("pack --name keys --excluded-accounts 123456789012 210987654321", "", &error);
    let (_, call) = error.split_once('\n').unwrap();
    fs::write(directory.path().join("keys.yaml"), &text).unwrap();

    let file = "it's the pack.yaml";
    let (status, printed, error) = pack(directory.path(), &[&options[..2], &["--output", file]].concat());
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert_eq!(fs::read_to_string(directory.path().join(file)).unwrap(), text);
    transcript.add(format!("pack --output '{file}'"), &printed, &error);
    insta::assert_snapshot!(transcript);

    let deployed = program(DEPLOY, &[directory.path().to_str().unwrap(), &format!("{call}\n{printed}")]);
    let [keys, plain] = ["keys", "access-key-rotation"].map(|name| {
        assert_eq!(deployed["bodies"][name], text);
        let mut packs = deployed["packs"].as_array().unwrap().iter();
        packs.find(|pack| pack["OrganizationConformancePackName"] == name).unwrap()
    });
    assert_eq!(keys["ExcludedAccounts"], json!(["123456789012", "210987654321"]));
    assert_eq!(keys["ConformancePackInputParameters"], json!([]));
    assert_eq!(plain["ExcludedAccounts"], json!([]));
}

#[test]
fn a_pack_that_aws_would_not_take_is_refused() {
    let directory = TempDir::new().unwrap();
    let good = "arn:aws:lambda:eu-central-1:111122223333:function:access-key-rotation";
    let long_name = "a".repeat(129);
    let long_arn = format!("{good}{}", "a".repeat(200));
    let accounts: Vec<_> = (0..1001).map(|n| format!("{n:012}")).collect();
    let too_many: Vec<_> = ["--excluded-accounts"].into_iter().chain(accounts.iter().map(String::as_str)).collect();
    let mut transcript = Transcript::default()
        .naming("a long ARN", &long_arn)
        .naming("129 letters", &long_name)
        .naming("1001 accounts", &accounts.join(" "));
    for (arn, more, expected) in [
        ("access-key-rotation", &[][..], 1),
        ("arn:aws:lambda:eu-central-1:1111:function:x", &[], 1),
        ("arn:aws:lambda:eu-central-1:111122223333:function:", &[], 1),
        ("arn:aws:lambda:eu-central-1:111122223333:function:x\": y", &[], 1),
        ("arn:aws:lambda::111122223333:function:x", &[], 1),
        ("arn:aws:iam:eu-central-1:111122223333:function:x", &[], 1),
        (&long_arn, &[], 1),
        (good, &["--region", "us-east-1"], 1),
        (good, &["--max-access-key-age", "0"], 2),
        (good, &["--deliver", "none"], 2),
        (good, &["--quiet-days", "3651"], 2),
        (good, &["--frequency", "Daily"], 2),
        (good, &["--name", "1st"], 2),
        (good, &["--name", &long_name], 2),
        (good, &["--automatic-remediation", "1234"], 2),
        (good, &["--role-path", "/security/"], 2),
        (good, &["--automatic-remediation", "123456789012", "--role-path", "security"], 2),
        (good, &["--automatic-remediation", "123456789012", "--role-path", "/a//b/"], 2),
        (good, &too_many, 1),
    ] {
        let (status, out, error) =
            pack(directory.path(), &[&["--function-arn", arn, "--output", "pack.yaml"], more].concat());
        assert_eq!((status, out.as_str()), (Some(expected), ""), "{arn} {more:?}: {error}");
        assert!(!directory.path().join("pack.yaml").exists());
        transcript.add(format!("pack --function-arn {arn} {}", more.join(" ")), &out, &error);
    }
    insta::assert_snapshot!(transcript);
    let (status, ..) =
        pack(directory.path(), &["--function-arn", good, "--region", "eu-central-1", "--name", &long_name[1..]]);
    assert_eq!(status, Some(0));
}
