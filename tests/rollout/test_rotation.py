"""A rotation into a secret: what becomes of a user's keys, the secret and the records, and of whatever does not fit."""

import json
from datetime import timedelta

import pytest

from deployed import ROOT
from fake_iam import ClientError, Ended, Iam, Key, at
from fake_secrets import ARN, CURRENT, PENDING, PREVIOUS
from secret import SES_SMTP, smtp_password

KEY, OTHER = "AKIAAAAAAAAAAAAAAAA1", "AKIAAAAAAAAAAAAAAAA2"
START = at("2026-03-01T12:00:00Z")
SECRET = "bots/deploy"


def account(*ages, text=None, **more):
    """A user with keys of so many days, of whom the first is in the secret. Both are tagged."""
    iam = Iam(START)
    user = iam.add("bot", *((key_id, Key(START - timedelta(days=age))) for key_id, age in zip((KEY, OTHER), ages)))
    user.tags["access-key-rotation:secret"] = SECRET
    for key_id in user.keys:
        iam.secret_of(key_id)
    if text is None:
        text = json.dumps(
            {"host": "smtp.example.com", "AccessKeyId": KEY, "SecretAccessKey": iam.secret_of(KEY), "port": 25}
        )
    tags = {"access-key-rotation:user": "bot"}
    iam.secretsmanager.add(SECRET, tags, text or None, **more)
    return iam


def rotate(iam, user_id="ALL", **parameters):
    outputs = iam.run("rotate", user_id, **parameters)
    return [(result["Outcome"], result["AccessKeyId"], result["Reason"]) for result in outputs["Results"]]


def held(iam, stage=CURRENT):
    return iam.secretsmanager.held[SECRET].fields(stage)


def outcomes(iam, **parameters):
    return [(outcome, key_id) for outcome, key_id, _ in rotate(iam, **parameters)]


def test_from_a_key_that_is_due_to_the_deleted_old_key():
    iam = account(74)
    [(outcome, key_id, reason)] = rotate(iam)
    assert (outcome, key_id) == ("not due", KEY) and "rotates on 2026-03-02" in reason
    iam.pass_time(days=1)
    new, old = "AKIAMADE000000000000", iam.users["bot"].keys[KEY]
    assert outcomes(iam) == [("rotated", new), ("settling", KEY)]
    assert held(iam) == {
        "host": "smtp.example.com",
        "AccessKeyId": new,
        "SecretAccessKey": iam.secrets[new],
        "port": 25,
    }
    assert held(iam, PREVIOUS)["AccessKeyId"] == KEY and PENDING not in iam.secretsmanager.held[SECRET].stages
    iam.pass_time(days=3)
    iam.use(KEY, iam.secrets[KEY])
    iam.pass_time(days=6)
    [(outcome, _, reason)] = rotate(iam)
    assert outcome == "settling" and "used on 2026-03-05 by s3" in reason and "on 2026-03-12" in reason
    iam.pass_time(days=2)
    assert outcomes(iam) == [("deactivated", KEY), ("not due", new)]
    assert old.status == "Inactive" and iam.parameters.state(KEY) == "deactivated"
    assert not any(name.startswith("/access-key-rotation/users/") for name in iam.parameters.held)
    iam.pass_time(days=31)
    [result] = iam.run("delete", "ROTATED")["Results"]
    assert result["Outcome"] == "deleted" and list(iam.users["bot"].keys) == [new]


def calls(iam, *names):
    return [call for call in iam.calls if call in names]


def test_an_owners_edit_at_any_moment_survives():
    for call in range(1, 100):
        iam, number = account(80), 0

        def before(action, parameters):
            nonlocal number
            number += 1
            if number == call:
                iam.secretsmanager.held[SECRET].put(json.dumps(held(iam) | {"port": 587}), iam.now)

        iam.before = before
        assert outcomes(iam)[0][0] == "rotated", call
        if number < call:
            break
        assert held(iam)["port"] == 587 and held(iam)["AccessKeyId"] in iam.made, call
        assert not iam.violations, call
    assert call > 60


# What does not fit is named, and nothing is made.


def text(**more):
    return json.dumps({"AccessKeyId": KEY, "SecretAccessKey": f"secret/of+{KEY}/not+to+be+seen", **more})


@pytest.mark.parametrize(
    "known, reason",
    [
        ({"RotationEnabled": True}, "has a rotation of its own"),
        ({"OwningService": "rds"}, "is managed by rds"),
        ({"PrimaryRegion": "us-west-2"}, "is a replica. Tag its primary secret in us-west-2"),
        ({"DeletedDate": START}, "is scheduled for deletion"),
        ({"text": b"AKIA"}, "is binary"),
        ({"text": "AKIA"}, "is not a JSON object"),
        ({"text": "[1]"}, "is not a JSON object"),
        ({"text": '{"a": 1, "a": 2}'}, "is not a JSON object with each field once"),
        ({"text": "[" * 100_000}, "is not a JSON object"),
        ({"text": text(n="X").replace('"X"', "1e999")}, "has a number that would change"),
        ({"text": text(n="X").replace('"X"', "1.10")}, "has a number that would change"),
        ({"text": text(n="\ud800")}, "is not a JSON object"),
        ({"text": text(n="x" * 65_000)}, "has no room for another key"),
        ({"text": text(AccessKeyId=7)}, "is not the id of an access key"),
        ({"text": text(AccessKeyId="AKIA\n")}, "is not the id of an access key"),
        ({"text": text(SecretAccessKey=None)}, "has an AccessKeyId, but no SecretAccessKey"),
        ({"text": '{"aws_access_key_id": "AKIAAAAAAAAAAAAAAAA1"}'}, "has an access key in another field"),
        ({"text": text(AccessKeyId=OTHER)}, f"the secret holds {OTHER}, which is no access key of this user"),
    ],
)
def test_a_secret_that_does_not_fit_is_named_and_nothing_is_made(known, reason):
    iam = account(80, **known)
    [(outcome, _, why)] = rotate(iam)
    assert outcome == "blocked" and reason in why and SECRET in why or "the secret holds" in why
    assert not calls(iam, "CreateAccessKey", "PutSecretValue", "PutParameter", "UpdateAccessKey")
    assert "not+to+be+seen" not in why


@pytest.mark.parametrize(
    "of_user, of_secret, reason",
    [
        ("another", {}, "there is no secret another in this account and Region"),
        (ARN.replace("eu-", "us-") + SECRET, {}, "is not a secret of this account in eu-central-1"),
        (ARN.replace("1111", "2222") + SECRET, {}, "is not a secret of this account in eu-central-1"),
        ("arn:aws:s3:::bucket", {}, "is not a secret of this account"),
        (SECRET, {"access-key-rotation:user": "Bot"}, "must have the tag access-key-rotation:user with the value bot"),
        (SECRET, {"access-key-rotation:user": None}, "must have the tag access-key-rotation:user with the value bot"),
        (SECRET, {"access-key-rotation:format": "yaml"}, "is neither json nor ses-smtp:<Region>"),
        (SECRET, {"access-key-rotation:format": "ses-smtp:"}, "is neither json nor ses-smtp:<Region>"),
        (" ", {}, "the user has no tag access-key-rotation:secret"),
    ],
)
def test_tags_that_do_not_fit_are_named_and_nothing_is_made(of_user, of_secret, reason):
    iam = account(80)
    iam.users["bot"].tags["access-key-rotation:secret"] = of_user
    tags = iam.secretsmanager.held[SECRET].tags
    tags.update(of_secret)
    for name in [name for name, value in tags.items() if value is None]:
        del tags[name]
    [(outcome, _, why)] = rotate(iam, iam.users["bot"].id)
    assert outcome == "blocked" and reason in why
    assert not calls(iam, "CreateAccessKey", "PutSecretValue", "PutParameter")


def test_a_secret_whose_user_does_not_exist_is_named_and_costs_no_other():
    iam = account(80)
    iam.secretsmanager.add("another", {"access-key-rotation:user": "nobody"}, text())
    found = {outcome: reason for outcome, _, reason in rotate(iam)}
    assert found.keys() == {"blocked", "rotated", "settling"} and "there is no such user" in found["blocked"]


def test_a_second_secret_of_a_user_is_named_and_stays():
    iam = account(80)
    other = iam.secretsmanager.add("another", {"access-key-rotation:user": "bot"}, text())
    found = {outcome: reason for outcome, _, reason in rotate(iam, OwnerTag="team")}
    assert f"{other.arn} names the user, but" in found["blocked"] and "rotated" in found
    assert other.text() == text()
    assert [kind for _, kind in iam.events.told()] == ["rotated"], "nothing is blocked"


@pytest.mark.parametrize("name", ["a+b=c,d.e@f-g_h", "x" * 64])
def test_a_user_with_any_name_rotates(name):
    iam = account(80)
    user = iam.users[name] = iam.users.pop("bot")
    user.name, iam.secretsmanager.held[SECRET].tags["access-key-rotation:user"] = name, name
    assert outcomes(iam)[0][0] == "rotated" and not iam.violations


@pytest.mark.parametrize(
    "ages, statuses, reason",
    [
        ((80, 10), ("Active", "Active"), f"{OTHER} is active too"),
        ((80, 400), ("Active", "Active"), f"{OTHER} is active too"),
        ((80, 10), ("Active", "Inactive"), f"{OTHER} is inactive, and not by a runbook"),
        ((80,), ("Inactive",), f"the secret holds {KEY}, which is inactive"),
    ],
)
def test_without_room_nothing_is_made_or_deleted(ages, statuses, reason):
    iam = account(*ages)
    for key, status in zip(iam.users["bot"].keys.values(), statuses):
        key.status = status
    [(outcome, _, why)] = rotate(iam)
    assert outcome == "blocked" and reason in why
    assert not calls(iam, "CreateAccessKey", "DeleteAccessKey", "UpdateAccessKey", "PutParameter")


def test_a_key_that_is_exempt_stays():
    iam = account(80)
    until = {"access-key-rotation:exempt-until": "2026-04-01", "access-key-rotation:exempt-owner": "payments"}
    iam.users["bot"].tags.update(until)
    [(outcome, _, why)] = rotate(iam)
    assert outcome == "not due" and "is exempt until 2026-04-01" in why


@pytest.mark.parametrize(
    "days, reason",
    [
        (
            dict(RotateAfterDays="83"),
            "RotateAfterDays .83. and SettleDays .7. together must be less than MaxAccessKeyAge",
        ),
        (
            dict(GraceDays="68"),
            "SettleDays .7. and GraceDays .68. together must be less than RotateAfterDays",
        ),
    ],
)
def test_days_that_do_not_fit_are_refused(days, reason):
    iam = account(80)
    with pytest.raises(ValueError, match=reason):
        rotate(iam, **days)
    assert iam.calls == []


def test_a_dry_run_says_what_a_run_would_do_and_changes_nothing():
    iam = account(80)
    [(outcome, key_id, _)] = rotate(iam, DryRun="true")
    assert (outcome, key_id) == ("dry run: rotated", KEY)
    assert not calls(iam, "CreateAccessKey", "PutSecretValue", "PutParameter", "PutEvents")


# Failures.


class Refused(ClientError):
    response = {"ResponseMetadata": {"HTTPStatusCode": 400}, "Error": {"Code": "AccessDeniedException"}}


KMS = "AccessDeniedException: Access to KMS is not allowed"


@pytest.mark.parametrize("first", [None, ""])
def test_a_new_key_that_cannot_be_stored_is_taken_back_and_none_is_made_each_day(first):
    iam = account(80, text=first, KmsKeyId="arn:aws:kms:eu-central-1:111122223333:key/1")
    user = iam.users["bot"]
    iam.secretsmanager.refuse = lambda operation, secret: Refused(KMS) if operation == "PutSecretValue" else None
    (_, new, _), (outcome, _, why) = rotate(iam)
    assert outcome == "blocked" and "the key policy of arn:aws:kms:eu-central-1:111122223333:key/1 must allow" in why
    assert user.keys[new].status == "Inactive" and user.keys[KEY].status == "Active"
    for day in range(1, 7):
        iam.pass_time(days=1)
        assert [outcome for outcome, _ in outcomes(iam)] == (["deleted", "blocked"] if day == 1 else ["blocked"])
        assert list(user.keys) == [KEY]
    assert len(iam.made) == 1 and not iam.violations
    iam.secretsmanager.refuse = lambda operation, secret: None
    iam.pass_time(hours=1)
    assert outcomes(iam)[0][0] == "blocked", "not before a week has passed"
    assert outcomes(iam, user_id=user.id)[0][0] == "rotated", "but at once if somebody asks for it"


def test_a_secret_that_cannot_be_read_is_blocked_and_nothing_is_made():
    iam = account(80)
    iam.secretsmanager.refuse = lambda operation, secret: Refused(KMS) if operation == "GetSecretValue" else None
    [(outcome, _, why)] = rotate(iam)
    assert outcome == "blocked" and "kms:Decrypt and kms:GenerateDataKey" in why and not iam.made


def test_a_key_that_may_not_be_made_leaves_no_record():
    iam = account(80)

    iam.fail("CreateAccessKey", Refused("AccessDenied when calling CreateAccessKey"))
    with pytest.raises(RuntimeError, match="AccessDenied when calling CreateAccessKey"):
        rotate(iam)
    assert iam.parameters.held == {}


def test_a_new_key_whose_answer_is_lost_is_never_handed_out_and_goes():
    iam = account(80)
    make = iam.create_access_key

    def lose(UserName):
        make(UserName)
        raise ConnectionError("no answer")

    iam.create_access_key = lose
    with pytest.raises(RuntimeError, match="no answer"):
        rotate(iam)
    iam.create_access_key = make
    [lost] = iam.made
    assert outcomes(iam) == [("waiting", KEY)], "it may be another run's"
    iam.pass_time(hours=2)
    assert outcomes(iam)[0] == ("deactivated", lost)
    iam.pass_time(days=1)
    assert outcomes(iam)[:2] == [("deleted", lost), ("rotated", iam.made[1])]
    assert lost not in iam.secretsmanager.held[SECRET].handed_out and not iam.violations


def test_a_key_that_was_handed_out_is_never_taken_for_one_that_nobody_has():
    iam = account(80)
    secret = iam.secretsmanager.held[SECRET]

    iam.end_after("UpdateSecretVersionStage")
    with pytest.raises(Ended):
        rotate(iam)
    iam.before = lambda action, parameters: None
    [new] = iam.made
    assert held(iam)["AccessKeyId"] == new
    for port in (26, 27, 28):
        secret.put(json.dumps({"AccessKeyId": KEY, "SecretAccessKey": iam.secrets[KEY], "port": port}), iam.now)
    secret.stages.pop(PENDING, None)
    iam.pass_time(days=1)
    [(outcome, key_id, why)] = rotate(iam)
    assert (outcome, key_id) == ("blocked", new) and "somebody may have read" in why
    assert iam.users["bot"].keys[new].status == "Active"


def test_a_new_key_that_does_not_work_yet_is_handed_out_by_the_next_run():
    iam = account(80)

    iam.fail("GetCallerIdentity", ClientError("InvalidClientTokenId"))
    with pytest.raises(RuntimeError, match="the new key AKIAMADE000000000000 does not work: InvalidClientTokenId"):
        rotate(iam)
    assert held(iam)["AccessKeyId"] == KEY
    iam.before = lambda action, parameters: None
    iam.pass_time(days=1)
    assert outcomes(iam)[0] == ("rotated", iam.made[0]) and len(iam.made) == 1


def test_without_cloudtrail_an_old_key_stays_and_a_rotation_that_was_cut_off_waits():
    iam = account(80)
    iam.cloudtrail.refuses = ClientError("AccessDenied when calling LookupEvents")
    assert outcomes(iam)[0][0] == "rotated", "it knows which key it has made itself"
    iam.pass_time(days=20)
    [(outcome, key_id, why)] = rotate(iam)
    assert (outcome, key_id) == ("blocked", KEY) and "LookupEvents" in why
    assert iam.users["bot"].keys[KEY].status == "Active"


def test_a_throttled_secret_fails_the_run_and_blocks_nothing():
    iam = account(80)

    class Throttled(ClientError):
        response = {"ResponseMetadata": {"HTTPStatusCode": 400}, "Error": {"Code": "ThrottlingException"}}

    iam.secretsmanager.refuse = lambda operation, secret: Throttled("Rate exceeded")
    with pytest.raises(RuntimeError, match="Rate exceeded"):
        rotate(iam)
    assert iam.parameters.held == {}


# Formats.


PASSWORDS = json.loads((ROOT / "tests/fixtures/ses-smtp-passwords.json").read_text())


@pytest.mark.parametrize("region", PASSWORDS["passwords"])
def test_the_password_of_ses_is_that_of_aws_own_code(region):
    assert smtp_password(PASSWORDS["secretAccessKey"], region) == PASSWORDS["passwords"][region]
    assert SES_SMTP.fullmatch(f"ses-smtp:{region}")


def test_a_secret_for_ses_has_the_password_of_its_region():
    iam = account(80, text=text(SmtpUsername=KEY, SmtpPassword="old", host="email-smtp.us-east-1.amazonaws.com"))
    iam.secretsmanager.held[SECRET].tags["access-key-rotation:format"] = "ses-smtp:us-east-1"
    assert outcomes(iam)[0][0] == "rotated"
    [new] = iam.made
    value = iam.secrets[new]
    assert held(iam) == {
        "AccessKeyId": new,
        "SecretAccessKey": value,
        "SmtpUsername": new,
        "SmtpPassword": smtp_password(value, "us-east-1"),
        "host": "email-smtp.us-east-1.amazonaws.com",
    }


def test_an_empty_secret_is_the_way_in_and_the_old_key_stays_until_the_new_one_is_used():
    iam = account(80, text="")
    assert outcomes(iam)[0] == ("rotated", "AKIAMADE000000000000")
    assert held(iam).keys() == {"AccessKeyId", "SecretAccessKey"}
    iam.pass_time(days=40)
    [(outcome, key_id, why)] = rotate(iam)
    assert (outcome, key_id) == ("settling", KEY) and "Point the consumer at the secret" in why
    iam.use(held(iam)["AccessKeyId"], held(iam)["SecretAccessKey"])
    assert outcomes(iam)[0] == ("deactivated", KEY)


# Many, and for long.


def test_five_hundred_secrets_are_continued_by_the_next_runs_without_a_gap():
    iam = Iam(START)
    for number in range(500):
        name, key_id = f"bot-{number:03}", f"AKIA{number:016}"
        user = iam.add(name, (key_id, Key(START - timedelta(days=76))))
        user.tags["access-key-rotation:secret"] = name
        fields = {"AccessKeyId": key_id, "SecretAccessKey": iam.secret_of(key_id)}
        iam.secretsmanager.add(name, {"access-key-rotation:user": name}, json.dumps(fields))
    iam.latency, rotated, writes = 0.05, [], []

    def before(action, parameters):
        if action in ("PutParameter", "DeleteParameter"):
            writes.append(iam.seconds)

    iam.before = before
    for runs in range(1, 100):
        iam.seconds, writes[:] = 0, []
        try:
            iam.run("rotate", "ALL", OwnerTag="team")
        except RuntimeError as error:
            assert "The time was up" in str(error) and "Failed" not in str(error)
        assert iam.seconds < 600, "Systems Manager stops the script then"
        assert all(second - first >= 0.3 for first, second in zip(writes, writes[1:])), (
            "Parameter Store: three a second"
        )
        told = [key_id for key_id, kind in iam.events.told() if kind == "rotated"]
        assert len(told) == len(set(told)) and not set(told) & set(rotated)
        rotated += told
        iam.events.taken = []
        keys = [iam.users[name].keys[secret.key_id(CURRENT)] for name, secret in iam.secretsmanager.held.items()]
        assert max(iam.now - key.created for key in keys) < timedelta(days=90)
        if len(rotated) == 500:
            break
        iam.pass_time(days=1)
    assert runs <= 12 and len(iam.made) == 500 and not iam.violations


def test_a_consumer_that_reads_the_secret_each_day_is_never_denied_in_a_year():
    iam, reads = account(70), []

    def consume():
        fields = held(iam)
        iam.use(fields["AccessKeyId"], fields["SecretAccessKey"])
        reads.append(fields["AccessKeyId"])

    late = held(iam)
    for day in range(365):
        iam.pass_time(hours=12)
        # It has read the secret a day ago.
        iam.use(late["AccessKeyId"], late["SecretAccessKey"])
        late = held(iam)
        iam.pass_time(hours=12)
        iam.before = lambda action, parameters: consume()
        iam.run("rotate", "ALL")
        iam.before = lambda action, parameters: None
        iam.run("delete", "ROTATED")
        keys = iam.users["bot"].keys.values()
        assert len(keys) <= 2 and all(
            iam.now - key.created < timedelta(days=90) for key in keys if key.status == "Active"
        )
    assert len(set(reads)) == 6 and not iam.violations


def test_a_run_that_ended_before_it_deactivated_the_old_key_is_named():
    iam = account(75)
    rotate(iam)
    iam.pass_time(days=8)

    def end(action, parameters):
        if action == "UpdateAccessKey":
            raise Ended

    iam.before = end
    with pytest.raises(Ended):
        rotate(iam)
    iam.before = lambda action, parameters: None
    iam.pass_time(days=1)
    [(outcome, key_id, reason)] = rotate(iam)
    assert (outcome, key_id) == ("blocked", KEY) and "did not end" in reason and "on again" not in reason
    assert iam.users["bot"].keys[KEY].status == "Active"
