//! What the doctor says of the account's setting that logs the output of scripts.

use crate::{
    doctor::{Organization, check, problems},
    support::*,
};

const DESTINATION: &str = "/ssm/automation/customer-script-log-destination";
const GROUP: &str = "/ssm/automation/customer-script-log-group-name";

#[tokio::test]
async fn a_log_of_scripts_in_another_group_than_the_templates_is_named_with_the_parameter() {
    let organization = Organization::start().await;
    let said = async |settings: &[(&str, &str)]| {
        for (id, value) in settings {
            organization.aws.world().account(MEMBER).set_service_setting(id, value);
        }
        let (status, lines) = organization.examine(&["--account", MEMBER]).await;
        assert_eq!(status, Some(0), "{}", problems(&lines));
        check(&lines, &format!("{MEMBER} script log ")).trim_start_matches(&format!("{MEMBER} script log ")).to_owned()
    };
    let off = "ok: Systems Manager does not write the output of scripts to CloudWatch Logs";
    assert_eq!(said(&[]).await, off);
    assert_eq!(said(&[(GROUP, "scripts")]).await, off, "a group alone is no log");
    assert_eq!(
        said(&[(DESTINATION, "CloudWatch"), (GROUP, "/aws/ssm/automation/executeScript")]).await,
        "ok: Systems Manager writes the output of scripts to /aws/ssm/automation/executeScript"
    );
    assert_eq!(
        said(&[(GROUP, "scripts")]).await,
        "advice: Systems Manager writes the output of scripts to the log group scripts, with the runbooks' roles | Make sure that \
         ScriptLogGroup=scripts is set for this account in templates/member.yaml (templates/README.md, step 3)."
    );
}
