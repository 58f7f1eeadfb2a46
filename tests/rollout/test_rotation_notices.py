"""What a rotation tells: the new key, what holds it up and what to do, and the end of the old key. Never a secret."""

import json
from datetime import timedelta

from fake_iam import ClientError, at
from notices import delivered, faults
from test_rotation import KEY, OTHER, account

NEW = "AKIAMADE000000000000"
ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:bots/deploy-AbCdEf"
ACCOUNT = "111122223333"


def told(iam, handler="rotate", user_id="ALL", **parameters):
    """Kind, key, runbook and message of each notice of a run."""
    iam.events.taken = []
    try:
        iam.run(handler, user_id, OwnerTag="team", **parameters)
    except RuntimeError:
        pass
    found = []
    for entry in iam.events.taken:
        event = delivered(entry, ACCOUNT)
        assert faults(event) == []
        assert not any(secret in json.dumps(event) for secret in iam.secrets.values())
        detail = event["detail"]
        begin = f"Access key {detail['accessKeyId']} of user bot in account {ACCOUNT}: {detail['runbook']} "
        assert detail["message"].startswith(begin), detail["message"]
        runbook = detail["runbook"].removeprefix("AccessKeyRotation-")
        assert detail["id"] == f"{ACCOUNT}/{detail['accessKeyId']}/{kind_of(event)}/{iam.now:%Y-%m-%d}"
        found.append((event["detail-type"], detail["accessKeyId"], runbook, detail["message"].removeprefix(begin)))
    return found


def kind_of(event):
    return event["detail-type"].removeprefix("Access Key ").lower().replace(" ", "-")


def test_a_rotation_from_the_new_key_to_the_deleted_old_one():
    iam = account(76)
    made = iam.now
    [rotated] = told(iam)
    assert rotated == ("Access Key Rotated", NEW, "RotateKey", f"handed out the key: {ARN} holds it now.")
    assert told(iam) == [], "what is as it was is not told again"
    iam.pass_time(days=5)
    iam.use(KEY, iam.secrets[KEY])
    iam.pass_time(days=2, hours=2)
    [(kind, key_id, runbook, text)] = told(iam)
    assert (kind, key_id, runbook) == ("Access Key Settling", KEY, "RotateKey")
    held = f"the secret holds {NEW}, unchanged since 2026-03-01"
    used = f"the old key {KEY} was used on {made + timedelta(days=5):%Y-%m-%d} by s3"
    then = "Without use, it is deactivated on 2026-03-13. Have whoever uses it read the secret instead."
    assert text == f"waits to deactivate the key: {held}, and {used}. {then}"
    iam.pass_time(days=6)
    [deactivated] = told(iam)
    assert deactivated == (
        "Access Key Deactivated",
        KEY,
        "RotateKey",
        f"deactivated the key: replaced by {NEW}, and not used since 2026-03-06.",
    )
    iam.pass_time(days=31)
    [deleted] = told(iam, "delete", "ROTATED")
    assert deleted == ("Access Key Deleted", KEY, "DeleteDeactivatedKeys", "deleted the key.")


def test_a_blocked_rotation_is_told_each_time_with_the_reason_and_what_to_do():
    iam = account(76, 200)
    for _ in range(2):
        [(kind, key_id, runbook, text)] = told(iam)
        assert (kind, key_id, runbook) == ("Access Key Rotation Blocked", KEY, "RotateKey")
        assert text == (
            f"cannot rotate the key: there is no room for a new key: {OTHER} is active too. Find out who needs it, and "
            "delete it by hand then. What to do is in templates/ROTATION.md."
        )
        iam.pass_time(days=1)


def test_a_write_that_is_refused_is_told_without_what_was_to_be_written():
    iam = account(76)

    def refuse(operation, secret):
        if operation == "PutSecretValue":
            return ClientError(f'AccessDeniedException: the policy "x\\y" denies {iam.secrets[NEW]} ' + "e" * 900)

    iam.secretsmanager.refuse = refuse
    for kind, why in (
        ("Deactivated", "deactivated the key: nobody has its secret."),
        ("Deleted", "deleted the key: nobody ever"),
    ):
        (kind_of_new, new, _, done), (blocked, key_id, _, text) = told(iam)
        assert (kind_of_new, new) == (f"Access Key {kind}", NEW) and done.startswith(why)
        assert (blocked, key_id) == ("Access Key Rotation Blocked", KEY)
        assert "the policy 'x/y' denies ***" in text and text.endswith("What to do is in templates/ROTATION.md.")
        iam.pass_time(hours=2)


def test_a_dry_run_tells_nothing():
    assert told(account(76), DryRun="true") == [] and told(account(76, 200), DryRun="true") == []
    assert at("2026-03-01T12:00:00Z") == account(1).now
