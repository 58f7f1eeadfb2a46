//! One defect at a time.

use crate::{
    doctor::{ALL, Organization, PACK, PACK_RULE, problems},
    support::*,
    transcript::Transcript,
};
use deployment::{RUNBOOKS, function_arn};
use local_aws::{Recorder, World};
use serde_json::json;

fn control_towers(recorder: Recorder) -> Recorder {
    Recorder { name: "aws-controltower-BaselineConfigRecorder", ..recorder }
}

type Case = (&'static str, fn(&mut World), i32);

/// Each defect, and the exit status.
const DEFECTS: &[Case] = &[
    ("no recorder", |world| world.account(MEMBER).set_recorder(None), 3),
    (
        "a recorder that is stopped",
        |world| world.account(MEMBER).set_recorder(Some(Recorder { recording: false, ..Recorder::of_everything() })),
        3,
    ),
    (
        "a recorder that fails",
        |world| {
            world.account(MEMBER).set_recorder(Some(Recorder { last_status: "Failure", ..Recorder::of_everything() }));
        },
        3,
    ),
    (
        "a recorder of AWS Control Tower that fails",
        |world| {
            let recorder = Recorder { last_status: "Failure", ..control_towers(Recorder::of_everything()) };
            world.account(MEMBER).set_recorder(Some(recorder));
        },
        3,
    ),
    (
        "a recorder of AWS Control Tower that does not record users, as in a Region other than its home",
        |world| {
            let group = json!({ "allSupported": true, "includeGlobalResourceTypes": false });
            world.account(MEMBER).set_recorder(Some(control_towers(Recorder::of(group))));
        },
        3,
    ),
    (
        "a recorder of AWS Control Tower that is stopped",
        |world| {
            let recorder = Recorder { recording: false, ..control_towers(Recorder::of_everything()) };
            world.account(MEMBER).set_recorder(Some(recorder));
        },
        3,
    ),
    ("a runbook that is missing", |world| assert!(world.account(MEMBER).delete_document(RUNBOOKS[1])), 3),
    ("a runbook that is broken", |world| world.account(MEMBER).add_document(RUNBOOKS[0], "Failed"), 3),
    (
        "a runbook of which an earlier version is run",
        |world| world.account(MEMBER).set_document_versions(RUNBOOKS[2], 1, 3),
        3,
    ),
    (
        "users whom AWS Config remediates no more",
        |world| {
            let account = world.account(MEMBER);
            assert!(account.delete_rule(RULE));
            account.set_rule_function(PACK_RULE, &function_arn(HUB));
            ["AIDAB", "AIDAA"].iter().for_each(|id| account.add_remediation_exception(PACK_RULE, id));
        },
        3,
    ),
    (
        "an account that AWS Config has not evaluated for days",
        |world| {
            world.account(MEMBER).set_rule_evaluated(
                RULE,
                at("2026-01-01T00:00:00Z"),
                Some(at("2026-01-09T12:00:00Z")),
            );
        },
        3,
    ),
    (
        "an account with the rules of two packs",
        |world| world.account(MEMBER).set_rule_function(PACK_RULE, &function_arn(HUB)),
        3,
    ),
    ("an account without the rule", |world| assert!(world.account(MEMBER).delete_rule(RULE)), 3),
    (
        "a function whose policy names other accounts",
        |world| {
            world.account(HUB).add_function(RULE);
            world.account(HUB).reserve_concurrency(RULE, Some(20));
            [HUB, OTHER_MEMBER].iter().for_each(|id| world.account(HUB).let_config_invoke(RULE, Some(id)));
        },
        3,
    ),
    (
        "a function without a policy",
        |world| {
            world.account(HUB).add_function(RULE);
            world.account(HUB).reserve_concurrency(RULE, Some(20));
        },
        3,
    ),
    ("a function that is switched off", |world| world.account(HUB).reserve_concurrency(RULE, Some(0)), 3),
    (
        "a pack that failed in an account",
        |world| {
            let error = Some(("ConformancePackTemplateValidationException", "The document\ndoes not exist."));
            world.organization(HUB).set_pack(PACK, MEMBER, "CREATE_FAILED", error);
        },
        3,
    ),
    (
        "a pack that is still being deployed",
        |world| world.organization(HUB).set_pack(PACK, MEMBER, "CREATE_IN_PROGRESS", None),
        1,
    ),
    (
        "a pack that leaves an account out",
        |world| {
            assert!(world.organization(HUB).delete_pack(PACK));
            [HUB, OTHER_MEMBER]
                .iter()
                .for_each(|id| world.organization(HUB).set_pack(PACK, id, "CREATE_SUCCESSFUL", None));
        },
        3,
    ),
    ("no pack", |world| assert!(world.organization(HUB).delete_pack(PACK)), 3),
    (
        "a pack in a second Region",
        |world| world.organization(HUB).set_pack((HUB, "eu-west-1", RULE), MEMBER, "CREATE_SUCCESSFUL", None),
        3,
    ),
];

#[tokio::test]
async fn each_defect_is_the_one_thing_that_is_told_with_what_to_do() {
    let mut transcript = Transcript::default();
    for (what, harm, expected) in DEFECTS {
        let organization = Organization::start().await;
        harm(&mut organization.aws.world());
        let (status, lines) = organization.examine(ALL).await;
        assert_eq!(status, Some(*expected), "{what}: {lines:#?}");
        transcript.add(what, &problems(&lines), "");
    }
    insta::assert_snapshot!(transcript);
}
