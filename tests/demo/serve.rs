//! Keeps the local AWS up, with an organization for the command line, and prints commands to try on it.

use crate::{
    callers,
    organization::Organization,
    report::Results,
    rotating::{self, SECRET, USER},
};
use chrono::TimeDelta;
use deployment::{RULE, organize};
use local_aws::{ComplianceType, LocalAws, REGION, Recorder, World};
use std::io;

/// The names of the first accounts. The others get numbers.
const NAMES: [&str; 3] = ["security", "payments", "research"];

/// Makes the accounts an organization whose first account may read all others.
pub(crate) fn prepare(world: &mut World, Organization { accounts }: &Organization) {
    let hub = &accounts[0];
    let name = |n: usize| NAMES.get(n).map_or_else(|| format!("workload-{}", n + 1), |name| (*name).to_owned());
    let named: Vec<_> = accounts.iter().enumerate().map(|(n, id)| (id.as_str(), name(n))).collect();
    organize(world, hub, &named, &format!("arn:aws:iam::{hub}:root"));
}

/// Keeps the local AWS up until Ctrl-C, and lets the days pass that somebody types. `results` has the results in AWS Config.
pub(crate) async fn serve(aws: &LocalAws, organization: &Organization, results: &Results) -> io::Result<()> {
    let (hub, last) = (&organization.accounts[0], &organization.accounts[organization.accounts.len() - 1]);
    let until = {
        let mut world = aws.world();
        // For the doctor to find.
        world.account(last).set_recorder(Some(Recorder { recording: false, ..Recorder::of_everything() }));
        rotating::seed(&mut world, hub);
        callers::seed(&mut world, organization);
        (world.now() + TimeDelta::days(30)).date_naive()
    };
    let in_violation = results
        .iter()
        .find(|((account, _), (verdict, _))| account == hub && *verdict == ComplianceType::NonCompliant)
        .map(|((_, user), _)| user);
    let exemption = in_violation.map_or_else(String::new, |user| {
        format!(
            "Exempt a user of your account who is in violation:\n  \
               access-key-rotation exempt {user} --until {until} --owner platform\n\
             Scan your account again to see that the user is exempt:\n  \
               access-key-rotation scan --format csv | grep {user}\n"
        )
    });
    // On stderr, so that stdout stays one document with --json.
    eprintln!(
        "\nAWS is up until you press Ctrl-C. Open another terminal in this directory, and paste these lines first:\n  \
           export AWS_ENDPOINT_URL={} AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}\n  \
           export AWS_ACCESS_KEY_ID=AKIALOCAL{hub} AWS_SECRET_ACCESS_KEY=any\n  \
           alias access-key-rotation='cargo run --quiet --bin access-key-rotation --'\n\
         They make you the administrator of account {hub}: an access key id here ends in the id of its account.\n\
         The first use of the command line builds it, which takes a minute.\n\n\
         See the results that AWS Config holds for your account (you need the AWS CLI):\n  \
           aws configservice get-compliance-details-by-config-rule --config-rule-name {RULE} \
           --compliance-types NON_COMPLIANT\n\
         Scan every account of the organization, without AWS Config:\n  \
           access-key-rotation scan --organization\n\
         Make a page of the same scan for your browser:\n  \
           access-key-rotation scan --organization --format html --output keys.html\n\
         Plan rotations that break nothing:\n  \
           access-key-rotation plan --organization\n\
         See who uses the stale keys of your account, from where, and what could replace them:\n  \
           access-key-rotation where\n\
         {exemption}\
         See when AWS Config last evaluated the rule in each account:\n  \
           access-key-rotation coverage --organization\n\
         Find out where the rule cannot work. The demo has just stopped AWS Config's recorder in account {last}:\n  \
           access-key-rotation doctor --organization\n\
         At last, let the key of {USER} rotate into a secret (you need Python 3 with boto3, and the AWS CLI). Tag the user:\n  \
           aws iam tag-user --user-name {USER} --tags Key=access-key-rotation:secret,Value={SECRET}\n\
         Type 1 and Enter in this terminal: a day passes, and the runbooks run. Then see the new key:\n  \
           aws secretsmanager get-secret-value --secret-id {SECRET}\n\
         Type 8: nobody used the old key for a week, and it is deactivated. Type 31: it is deleted. See the keys after each:\n  \
           aws iam list-access-keys --user-name {USER}\n\
         The command line goes by your computer's clock, for which the new key is from the future.\n\
         When you have finished, paste this line. Otherwise, your AWS CLI goes on to ask the demo:\n  \
           unset AWS_ENDPOINT_URL AWS_REGION AWS_DEFAULT_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; \
           unalias access-key-rotation",
        aws.endpoint()
    );
    let mut typed = rotating::typed();
    loop {
        tokio::select! {
            end = tokio::signal::ctrl_c() => return end,
            Some(days) = typed.recv() => let_pass(aws, hub, days).await,
        }
    }
}

/// Lets days pass, and says what came of it.
async fn let_pass(aws: &LocalAws, account: &str, days: Option<u16>) {
    let Some(days) = days else {
        eprintln!("Type a number of days from 1 to 365, and Enter.");
        return;
    };
    let output = rotating::pass(aws, account, days).await;
    eprintln!("It is {}.", aws.world().now().date_naive());
    match output {
        Ok(output) => {
            eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        }
        Err(error) => eprintln!("Python does not start: {error}"),
    }
}
