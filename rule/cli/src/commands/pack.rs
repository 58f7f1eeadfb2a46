//! `pack`: the conformance pack with its parameters filled in, and the call that deploys it.
//!
//! Limits: `PutOrganizationConformancePack` in AWS Config's service model. The limits of input parameters do not matter, since
//! the pack needs none, and the pack never reaches the limit of a template in S3, 300 KB.

use crate::{
    args::{connection::account_id, rule_options::RuleOptions},
    command_result::CommandResult,
    output::{
        destination::{self, Output},
        shell::quoted,
    },
};
use access_key_rotation::aws::home::Home;
use anyhow::{anyhow, bail};
use clap::value_parser;
use std::{
    io::{Write, stderr},
    path::PathBuf,
};

const PACK: &str = include_str!("../../../../conformance-pack/access-key-rotation.yaml");
/// The limit of `TemplateBody`, in bytes.
const BODY_LIMIT: usize = 51_200;
/// The limit of `ExcludedAccounts`.
const EXCLUDED_LIMIT: usize = 1000;
/// The longest `SourceIdentifier` of a rule (`StringWithCharLimit256`).
const ARN_LIMIT: usize = 256;

/// Fill in the conformance pack, and print it with the command that deploys it to an organization.
///
/// You need no credentials, since it does not call AWS. The printed pack takes no input parameters. Without --output, the deployment
/// command goes to standard error.
///
/// Exit status: 0 - printed; 1 - failed, or AWS would reject the pack; 2 - wrong usage.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    access-key-rotation pack --max-access-key-age 60 --output pack.yaml \\\n    \
    --function-arn arn:aws:lambda:eu-central-1:111122223333:function:access-key-rotation")]
pub(crate) struct Args {
    /// The function's ARN: the output FunctionArn of templates/hub.yaml
    #[arg(long, value_name = "ARN")]
    function_arn: String,
    /// How often AWS Config evaluates each account
    #[arg(long, default_value = "TwentyFour_Hours",
        value_parser = ["One_Hour", "Three_Hours", "Six_Hours", "Twelve_Hours", "TwentyFour_Hours"])]
    frequency: String,
    #[command(flatten)]
    rule: RuleOptions<true>,
    /// The remediation leaves a key active if it was used within this many days (0 to 3650)
    #[arg(long, value_name = "DAYS", default_value_t = 45, value_parser = value_parser!(u16).range(0..=3650))]
    quiet_days: u16,
    /// Let AWS Config start the remediation by itself. Pass the id of your organization's management account
    #[arg(long, value_name = "MANAGEMENT_ACCOUNT_ID", value_parser = account_id)]
    automatic_remediation: Option<String>,
    /// The path of the runbooks' roles: RolePath of templates/member.yaml
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = role_path, requires = "automatic_remediation")]
    role_path: String,
    /// Do not deploy the pack to these accounts of the organization (1000 at most)
    #[arg(long, num_args = 1.., value_name = "ID", value_parser = account_id)]
    excluded_accounts: Vec<String>,
    /// The name of the pack
    #[arg(long, default_value = "access-key-rotation", value_parser = pack_name)]
    name: String,
    /// Deploy to this Region, which must be the function's
    #[arg(long)]
    region: Option<String>,
    /// Write the pack to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let home = function_home(&args.function_arn)?;
    if let Some(region) = args.region.as_ref().filter(|region| **region != home.region) {
        bail!(
            "--region {region}: the function is in {}, and a rule can only invoke a function in its own Region",
            home.region
        );
    }
    let excluded = args.excluded_accounts.len();
    if excluded > EXCLUDED_LIMIT {
        bail!("--excluded-accounts: {excluded} accounts, but AWS Config accepts at most {EXCLUDED_LIMIT}");
    }
    let pack = filled_in(&args, &home)?;
    if pack.len() > BODY_LIMIT {
        bail!("the pack has {} bytes, but AWS Config accepts at most {BODY_LIMIT}", pack.len());
    }
    let file = args.output.clone().unwrap_or_else(|| format!("{}.yaml", args.name).into());
    let call = call(&args, &home, &file.to_string_lossy());
    Output::open(args.output.as_deref())?.write(move |out| out.write_all(pack.as_bytes())).await?;
    match args.output {
        Some(_) => destination::print(call).await?,
        // A closed standard error is no reason to fail.
        None => _ = write!(stderr(), "Save the pack as {}, then deploy it:\n{call}", file.display()),
    }
    Ok(CommandResult::default())
}

/// The account and Region of the function. Its name is `[a-zA-Z0-9-_]+`, and a version or an alias may follow (AWS Lambda's
/// model).
fn function_home(arn: &str) -> anyhow::Result<Home> {
    let problem = || {
        anyhow!(
            "--function-arn {arn}: not the ARN of a function, such as \
             arn:aws:lambda:eu-central-1:111122223333:function:access-key-rotation"
        )
    };
    let home = Home::from_function_arn(arn).map_err(|_| problem())?;
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let is_region = home.region.split('-').count() >= 3 && is_word(&home.region);
    let names: Vec<_> = arn.splitn(7, ':').nth(6).unwrap_or_default().split(':').collect();
    let is_function = match names[..] {
        [name] => is_word(name),
        [name, version] => is_word(name) && (is_word(version) || version == "$LATEST"),
        _ => false,
    };
    let is_partition = home.partition.starts_with("aws") && is_word(&home.partition);
    if is_partition && is_region && is_function && arn.len() <= ARN_LIMIT { Ok(home) } else { Err(problem()) }
}

/// The pack with a default for each parameter.
fn filled_in(args: &Args, home: &Home) -> anyhow::Result<String> {
    let mut pack = PACK.to_owned();
    for (name, value) in [
        ("FunctionArn", args.function_arn.clone()),
        ("Frequency", args.frequency.clone()),
        ("QuietDays", args.quiet_days.to_string()),
        ("AutomaticRemediation", args.automatic_remediation.is_some().to_string()),
    ] {
        pack = with_default(&pack, name, &value)?;
    }
    for (parameter, value) in &args.rule.values {
        // MaxAccessKeyAge for the rule's maxAccessKeyAge.
        let (first, rest) = parameter.name.split_at(1);
        let name = first.to_ascii_uppercase() + rest;
        pack = with_default(&pack, &name, value)?;
    }
    if let Some(management) = &args.automatic_remediation {
        let role = "arn:aws:iam::MANAGEMENT_ACCOUNT_ID:role/";
        let role_at = format!("arn:{}:iam::{management}:role{}", home.partition, args.role_path);
        pack = replaced(&pack, role, &role_at, 1)?;
        pack = replaced(&pack, "#automatic# ", "", 2)?;
    }
    Ok(pack)
}

/// Sets the `Default` of a parameter, between its `Type` and its `Description`. No value needs escaping.
fn with_default(pack: &str, name: &str, value: &str) -> anyhow::Result<String> {
    let changed = || {
        anyhow!(
            "the conformance pack does not have {name} in the expected form. Build the command line and the pack from the \
             same commit"
        )
    };
    let head = format!("\n  {name}:\n    Type: String\n");
    let (before, after) = pack.split_once(&head).ok_or_else(changed)?;
    let rest = match after.strip_prefix("    Default: ") {
        Some(default) => default.split_once('\n').ok_or_else(changed)?.1,
        None => after,
    };
    if rest.starts_with("    Description: ") && !rest.contains(&head) {
        Ok(format!("{before}{head}    Default: \"{value}\"\n{rest}"))
    } else {
        Err(changed())
    }
}

fn replaced(pack: &str, from: &str, to: &str, times: usize) -> anyhow::Result<String> {
    match pack.matches(from).count() {
        found if found == times => Ok(pack.replace(from, to)),
        found => bail!("{from:?} is in the conformance pack {found} times instead of {times}"),
    }
}

/// The AWS CLI command, ready to paste.
fn call(args: &Args, home: &Home, file: &str) -> String {
    let mut call = format!(
        "aws configservice put-organization-conformance-pack --region {} \\\n  \
         --organization-conformance-pack-name {} \\\n  --template-body {}",
        home.region,
        args.name,
        quoted(&format!("file://{file}"))
    );
    if !args.excluded_accounts.is_empty() {
        call += &format!(" \\\n  --excluded-accounts {}", args.excluded_accounts.join(" "));
    }
    call + "\n"
}

/// Parses a path as `RolePath` of the templates takes it.
fn role_path(text: &str) -> anyhow::Result<String> {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let allowed = text.len() <= 64
        && (text == "/"
            || text
                .strip_prefix('/')
                .and_then(|rest| rest.strip_suffix('/'))
                .is_some_and(|path| path.split('/').all(is_word)));
    if allowed {
        Ok(text.to_owned())
    } else {
        bail!("a path is / or words of letters, digits, hyphens and underscores between slashes, such as /security/")
    }
}

/// Parses an `OrganizationConformancePackName`, as AWS Config's model defines it.
pub(crate) fn pack_name(text: &str) -> anyhow::Result<String> {
    let allowed = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && text.len() <= 128;
    if allowed {
        Ok(text.to_owned())
    } else {
        bail!("a pack's name has 1 to 128 letters, digits and hyphens, and starts with a letter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_whose_text_changed_is_an_error() {
        for (from, to) in [
            ("\n  QuietDays:\n    Type: String\n", "\n  QuietDays:\n    Type: Number\n"),
            ("    Description: The remediation leaves", "    NoEcho: true\n    Description: The remediation leaves"),
        ] {
            assert!(PACK.contains(from));
            assert!(with_default(PACK, "QuietDays", "7").is_ok());
            let error = with_default(&PACK.replace(from, to), "QuietDays", "7").err();
            assert!(error.is_some_and(|error| error.to_string().contains("QuietDays")));
        }
        assert!(
            replaced(PACK, "#automatic# ", "", 3)
                .is_err_and(|error| error.to_string().contains("2 times instead of 3"))
        );
    }
}
