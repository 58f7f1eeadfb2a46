//! ministack, an emulator of AWS that enforces IAM: its process, what is deployed to it, and its roles' policies.

use crate::{deployed::python, function::bootstrap, support::*};
use chrono::Utc;
use local_aws::{Credentials, REGION};
use serde_json::{Map, Value, json};
use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
};
use tokio::net::TcpSocket;

const SETTINGS: &str = "AUTH=true BIND_HOST=127.0.0.1 IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 LAMBDA_EXECUTOR=local \
                        DOCKER_HOST=unix:///nonexistent PERSIST_STATE=1 CLOUDTRAIL_RECORDING=1";

/// The users of each account, all old: the age in days and the status of the key, if there is one.
pub(super) const USERS: [(&str, Option<(i64, &str)>); 5] = [
    ("fresh", Some((1, "Active"))),
    ("keyless", None),
    ("retired", Some((400, "Inactive"))),
    ("retired-too", Some((400, "Inactive"))),
    ("stale", Some((400, "Active"))),
];

pub(super) fn user_id(account: &str, user: &str) -> String {
    format!("AIDA{account}{:05}", USERS.iter().position(|(name, _)| *name == user).unwrap())
}

pub(super) fn key_id(account: &str, user: &str) -> String {
    user_id(account, user).replacen("AIDA", "AKIA", 1)
}

/// The users as ministack saves them, since the keys that its API makes are young.
fn state() -> Value {
    let ago = |age| (Utc::now() - days(age)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (mut users, mut keys) = (Map::new(), Map::new());
    for (account, (name, key)) in [HUB, MEMBER].iter().flat_map(|account| USERS.map(|user| (account, user))) {
        let id = key_id(account, name);
        let user = json!({
            "UserName": name, "UserId": user_id(account, name), "Arn": format!("arn:aws:iam::{account}:user/{name}"),
            "Path": "/", "CreateDate": ago(800), "Tags": [], "PermissionsBoundary": "", "AttachedPolicies": [],
        });
        users.insert(format!("{account}\0'{name}'"), user);
        if let Some((age, status)) = key {
            let key = json!({
                "UserName": name, "AccessKeyId": id, "SecretAccessKey": "any", "Status": status, "CreateDate": ago(age),
            });
            keys.insert(format!("{account}\0'{id}'"), key);
        }
    }
    let of_accounts = |data: Map<_, _>| json!({ "__scoped__": true, "data": data });
    let payload = json!({ "users": of_accounts(users), "access_keys": of_accounts(keys) });
    json!({ "__ministack_format__": 2, "payload": payload })
}

/// The records of the inactive keys, so old that CloudTrail does not go back to them: its events cannot be made here.
fn records() -> Value {
    let (at, since) = (Utc::now() - days(100), (Utc::now() - days(100)).format("%Y-%m-%dT%H:%M:%SZ").to_string());
    let (mut parameters, mut histories) = (Map::new(), Map::new());
    let inactive = |(user, key): &(&'static str, Option<(i64, &str)>)| {
        key.filter(|(_, status)| *status == "Inactive").map(|_| *user)
    };
    for (account, user) in
        [HUB, MEMBER].iter().flat_map(|account| USERS.iter().filter_map(inactive).map(move |user| (account, user)))
    {
        let (name, id) = (format!("/access-key-rotation/keys/{}", key_id(account, user)), user_id(account, user));
        let value = json!({ "state": "deactivated", "since": since, "execution": null, "userId": id }).to_string();
        let parameter = json!({
            "Name": name, "Value": value, "OriginalValue": value, "Type": "String", "KeyId": "", "Version": 1,
            "ARN": format!("arn:aws:ssm:{REGION}:{account}:parameter{name}"), "LastModifiedDate": at.timestamp(),
            "LastModifiedUser": "", "DataType": "text", "Description": "", "Tier": "Standard", "AllowedPattern": "",
            "Policies": [], "Labels": [],
        });
        let key = format!("{account}\0{REGION}\0'{name}'");
        parameters.insert(key.clone(), parameter.clone());
        histories.insert(key, json!([parameter]));
    }
    let of_accounts = |data: Map<_, _>| json!({ "__account_region_scoped__": true, "data": data });
    let payload = json!({ "parameters": of_accounts(parameters), "parameter_history": of_accounts(histories) });
    json!({ "__ministack_format__": 2, "payload": payload })
}

/// The emulator's process, on a free port of 127.0.0.1. The function's process, which it starts, ends with it.
pub(super) struct Ministack {
    process: Child,
    address: SocketAddr,
    directory: tempfile::TempDir,
    /// Held so that nobody else gets the port. It never listens, and ministack may bind to it all the same.
    _port: TcpSocket,
}

impl Drop for Ministack {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ministack {
    /// `config` is where functions find AWS Config, instead of here.
    pub(super) fn start(config: Option<&str>) -> Ministack {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::write(path.join("iam.json"), state().to_string()).unwrap();
        fs::write(path.join("ssm.json"), records().to_string()).unwrap();
        let port = TcpSocket::new_v4().unwrap();
        port.set_reuseaddr(true).unwrap();
        port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = port.local_addr().unwrap();
        let mut process = python()
            .args(["-m", "ministack"])
            .env_clear()
            .envs(SETTINGS.split(' ').filter_map(|setting| setting.split_once('=')))
            .envs([("STATE_DIR", path), ("TMPDIR", path)])
            .env("GATEWAY_PORT", address.port().to_string())
            // Functions inherit these.
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .envs(config.map(|config| ("AWS_ENDPOINT_URL_CONFIG_SERVICE", config)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut before = Vec::new();
        let is_up = log.by_ref().any(|line| {
            before.push(line);
            before.last().is_some_and(|line| line.contains("Running on http://"))
        });
        assert!(is_up, "{}", before.join("\n"));
        // Until it ends, or it would wait for somebody to read the rest.
        thread::spawn(|| log.for_each(drop));
        Ministack { process, address, directory, _port: port }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Sends a request and gives the head and the body of a good answer, which in HTTP/1.0 ends with the connection.
    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<(String, String)> {
        let mut stream = TcpStream::connect(self.address)?;
        let start = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}", self.address, body.len());
        write!(stream, "{start}\r\n{headers}\r\n{body}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok((head.to_lowercase(), body.to_owned())),
            _ => Err(io::Error::other(answer)),
        }
    }

    /// A call as an account's root user, whose signature ministack does not check; half a second quicker than the AWS CLI.
    pub(super) fn post(&self, account: &str, service: &str, path: &str, header: &str, body: &str) -> (String, String) {
        let scope = format!("Credential={account}/20300101/{REGION}/{service}/aws4_request");
        let headers = format!("Authorization: AWS4-HMAC-SHA256 {scope}\r\n{header}\r\n");
        self.send("POST", path, &headers, body).unwrap()
    }

    pub(super) fn iam(&self, account: &str, action: &str, parameters: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", "2010-05-08").extend_pairs(parameters);
        self.post(account, "iam", "/", "Content-Type: application/x-www-form-urlencoded", &form.finish()).1
    }

    pub(super) fn run(&self, caller: &Credentials, command: &mut Command) -> Output {
        command
            .env_clear()
            .envs([("HOME", "/nonexistent"), ("AWS_PAGER", ""), ("AWS_DEFAULT_REGION", REGION)])
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.address))
            .env("AWS_ACCESS_KEY_ID", &caller.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &caller.secret_access_key)
            .envs(caller.session_token.as_ref().map(|token| ("AWS_SESSION_TOKEN", token)));
        command.output().unwrap()
    }

    /// Runs the AWS CLI, with these words and then these texts. Gives what it prints, or the text of its error.
    pub(super) fn cli(&self, caller: &Credentials, words: &str, texts: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv/bin/aws"));
        let output = self.run(caller, command.args(words.split(' ')).args(texts));
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
        } else {
            Err(String::from_utf8(output.stderr).unwrap())
        }
    }

    fn deploy(&self, account: &str, template: &str, parameters: &str) {
        let file = self.path().join("template.yaml");
        fs::write(&file, template).unwrap();
        let words = format!(
            "cloudformation deploy --stack-name access-key-rotation --capabilities CAPABILITY_NAMED_IAM --parameter-overrides \
             {parameters} --template-file"
        );
        if let Err(error) = self.cli(&root(account), &words, &[file.to_str().unwrap()]) {
            let events = "cloudformation describe-stack-events --stack-name access-key-rotation";
            let events = self.cli(&root(account), events, &[]).unwrap()["StackEvents"].take();
            let failed = events.as_array().unwrap().iter().filter(|event| event["ResourceStatus"] == "CREATE_FAILED");
            panic!("{error}{:#?}", failed.collect::<Vec<_>>());
        }
    }

    /// Deploys the hub with a function whose zip tells the release, which is made once. To deploy again is an update.
    pub(super) fn deploy_hub(&self, release: &str) {
        let (archive, note) = (self.path().join(format!("{release}.zip")), self.path().join("release"));
        fs::write(&note, release).unwrap();
        let pack = "import base64, hashlib, os, sys, zipfile; \
                    os.path.exists(sys.argv[1]) or zipfile.main(['-c', *sys.argv[1:]]); \
                    print(base64.b64encode(hashlib.sha256(open(sys.argv[1], 'rb').read()).digest()).decode())";
        let output = python().args(["-c", pack]).args([&archive, &bootstrap(), &note]).output().unwrap();
        let sha256 = String::from_utf8(output.stdout).unwrap();
        self.cli(&root(HUB), "s3api create-bucket --bucket code", &[]).unwrap();
        let put = format!("s3api put-object --bucket code --key {release}/function.zip --body");
        self.cli(&root(HUB), &put, &[archive.to_str().unwrap()]).unwrap();
        let parameters = format!(
            "CodeBucket=code CodeKey={release}/function.zip CodeSha256={} Architecture=x86_64 OrganizationId=o-exampleorgid \
             MemberAccounts={MEMBER}",
            sha256.trim()
        );
        self.deploy(HUB, &without(include_str!("../../../templates/hub.yaml"), &UNKNOWN), &parameters);
    }

    /// Deploys a member whose command line has this role. To deploy again is an update.
    pub(super) fn deploy_member(&self, command_line_role: &str) {
        let template = include_str!("../../../templates/member.yaml");
        // Without the documents, which come last: ministack's CloudFormation has no AWS::SSM::Document.
        let (roles, _) = template.split_once("\n  DeactivateStaleKeys:\n").unwrap();
        let parameters = format!("HubAccountId={HUB} CommandLineRoleArn={command_line_role} Rotation=true");
        self.deploy(MEMBER, roles, &parameters);
        // To ministack, aws:PrincipalArn is the ARN of the session. On AWS, it is that of the role.
        let answer = self.cli(&root(MEMBER), "iam get-role --role-name", &[EVALUATION_ROLE]).unwrap();
        let trust = answer["Role"]["AssumeRolePolicyDocument"].to_string();
        let sessions = trust.replace(
            &format!("arn:aws:iam::{HUB}:role/{FUNCTION_ROLE}"),
            &format!("arn:aws:sts::{HUB}:assumed-role/{FUNCTION_ROLE}/*"),
        );
        assert_ne!(trust, sessions);
        let sessions = sessions.replace("ArnEquals", "ArnLike");
        let update = "iam update-assume-role-policy --role-name";
        self.cli(&root(MEMBER), update, &[EVALUATION_ROLE, "--policy-document", &sessions]).unwrap();
    }

    /// Deletes the stack of an account.
    pub(super) fn remove(&self, account: &str) {
        let [delete, describe] = ["delete-stack", "describe-stacks"]
            .map(|verb| format!("cloudformation {verb} --stack-name access-key-rotation"));
        self.cli(&root(account), &delete, &[]).unwrap();
        let is_gone = (0..100).any(|_| self.cli(&root(account), &describe, &[]).is_err());
        assert!(is_gone, "{account}");
    }

    pub(super) fn assume(&self, caller: &Credentials, role: &str) -> Result<Credentials, String> {
        let arn = format!("arn:aws:iam::{MEMBER}:role/{role}");
        let answer = self.cli(caller, "sts assume-role --role-session-name test --role-arn", &[&arn])?;
        let text = |field: &str| answer["Credentials"][field].as_str().unwrap().to_owned();
        let (access_key_id, secret_access_key) = (text("AccessKeyId"), text("SecretAccessKey"));
        Ok(Credentials { access_key_id, secret_access_key, session_token: Some(text("SessionToken")) })
    }
}

/// Resources of a type that ministack does not know.
const UNKNOWN: [&str; 5] =
    ["InvocationPolicy", "CoverageTimer", "UsersUnknownReminder", "NotCoveredReminder", "ErrorsAlarm"];

/// A template without these resources.
fn without(template: &str, resources: &[&str]) -> String {
    let mut left = String::new();
    let mut leaves_out = false;
    for line in template.lines() {
        if line.starts_with(|c: char| !c.is_whitespace()) || line.starts_with("  ") && !line.starts_with("   ") {
            leaves_out = resources.iter().any(|name| line == format!("  {name}:"));
        }
        if !leaves_out {
            left += line;
            left.push('\n');
        }
    }
    left
}

/// To ministack, an account's id is the access key of its root user.
pub(super) fn root(account: &str) -> Credentials {
    Credentials { access_key_id: account.to_owned(), secret_access_key: "test".to_owned(), session_token: None }
}

/// A policy of a role, as it was deployed.
pub(super) struct Policy<'a> {
    aws: &'a Ministack,
    account: &'a str,
    role: &'a str,
    name: &'a str,
    pub(super) document: Value,
}

impl Policy<'_> {
    pub(super) fn read<'a>(aws: &'a Ministack, account: &'a str, role: &'a str, name: &'a str) -> Policy<'a> {
        let answer = aws.cli(&root(account), "iam get-role-policy", &["--role-name", role, "--policy-name", name]);
        let mut document = answer.unwrap()["PolicyDocument"].take();
        if document.to_string().contains("iam:GetAccessKeyLastUsed") {
            // AWS checks this action on the user whom the key belongs to, ministack on "*".
            let statement = json!({ "Effect": "Allow", "Action": "iam:GetAccessKeyLastUsed", "Resource": "*" });
            document["Statement"].as_array_mut().unwrap().push(statement);
        }
        let policy = Policy { aws, account, role, name, document };
        policy.put(&policy.document);
        policy
    }

    pub(super) fn put(&self, document: &Value) {
        let document = document.to_string();
        let parameters = [("RoleName", self.role), ("PolicyName", self.name), ("PolicyDocument", &document)];
        self.aws.iam(self.account, "PutRolePolicy", &parameters);
    }

    pub(super) fn put_without(&self, action: &str) {
        let mut document = self.document.clone();
        document["Statement"].as_array_mut().unwrap().retain_mut(|statement| match &mut statement["Action"] {
            Value::Array(actions) => {
                actions.retain(|allowed| allowed != action);
                !actions.is_empty()
            }
            allowed => allowed != action,
        });
        assert_ne!(document, self.document, "{action}");
        self.put(&document);
    }
}
