"""A secret of Secrets Manager that holds an access key, as a consumer reads it.

Contents are secret: they go into a version of the secret and into the proof of a key, and nowhere else.
"""

import base64
import hashlib
import hmac
import json
import re
from datetime import datetime
from typing import NamedTuple, Optional

from account import THROTTLED, error_code, is_refused
from common import client
from optin import USER_TAG, Misfit, describe
from trail import ROTATION_ROLE

# On the secret, the format.
FORMAT_TAG = "access-key-rotation:format"
CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
SECRET_FIELDS = ("SecretAccessKey", "SmtpPassword")
KEY_FIELDS, SMTP_FIELDS = ("AccessKeyId", "SecretAccessKey"), ("SmtpUsername", "SmtpPassword")
SES_SMTP = re.compile("ses-smtp:([a-z]{2}(?:-[a-z]+)+-[0-9])")
# The most bytes of a secret, and those that the fields of a key may add.
MOST_BYTES, KEY_BYTES = 65536, 1024
# The pages of ListSecrets, with up to 100 secrets each.
MOST_SECRET_PAGES = 1000


class Version(NamedTuple):
    """What a version of the secret holds. `fields` is a JSON object; `key_id` is None if it names no access key."""

    id: str
    created: datetime
    fields: dict
    key_id: Optional[str]


class Described(NamedTuple):
    """What DescribeSecret says. `user_name` and `smtp_region` are from the tags."""

    arn: str
    user_name: Optional[str]
    smtp_region: Optional[str]
    stages: dict
    # When anything about it was last changed, by DescribeSecret's LastChangedDate.
    changed: datetime
    kms_key: Optional[str]


class Held(NamedTuple):
    """The versions that matter. `pending` is None if the label is on the current version, or on none."""

    current: Optional[Version]
    pending: Optional[Version]

    def holds(self, key_id):
        return key_id in [version.key_id for version in (self.current, self.pending) if version]


class Secrets:
    """The secrets of the account, in this Region. Remembers each secret value, so that no text repeats it."""

    def __init__(self):
        self.client = client("secretsmanager", 6)
        self.values = set()

    def tagged(self):
        """(ARN, user's name) of each secret with a tag for a user, by ARN. The listing may be minutes old."""
        pages = self.client.get_paginator("list_secrets").paginate(
            IncludePlannedDeletion=True, Filters=[dict(Key="tag-key", Values=[USER_TAG])]
        )
        found = []
        for number, page in enumerate(pages):
            if number == MOST_SECRET_PAGES:
                raise RuntimeError("The secrets do not end.")
            for secret in page["SecretList"]:
                # The filter also finds tags that begin alike.
                tags = {tag["Key"]: tag["Value"] for tag in secret.get("Tags", [])}
                if USER_TAG in tags:
                    found.append((secret["ARN"], tags[USER_TAG]))
        return sorted(found)

    def describe(self, name, user_arn):
        """The secret, by name or ARN. Raises Misfit if nothing can be rotated into it."""
        region = self.client.meta.region_name
        try:
            answer, tags = describe(self.client, name, user_arn)
        except Exception as error:
            if error_code(error) == "AccessDeniedException":
                raise Misfit(f"{name} must have the tag {USER_TAG} before it can be read: {error}") from None
            raise
        arn = answer["ARN"]
        if answer.get("DeletedDate"):
            raise Misfit(f"{arn} is scheduled for deletion")
        if answer.get("OwningService"):
            raise Misfit(f"{arn} is managed by {answer['OwningService']}")
        if answer.get("RotationEnabled"):
            raise Misfit(f"{arn} has a rotation of its own. Switch one of the two off")
        if answer.get("PrimaryRegion", region) != region:
            raise Misfit(f"{arn} is a replica. Tag its primary secret in {answer['PrimaryRegion']}")
        form = tags.get(FORMAT_TAG, "json")
        smtp = SES_SMTP.fullmatch(form)
        if form != "json" and not smtp:
            raise Misfit(f"{arn}: the tag {FORMAT_TAG} is neither json nor ses-smtp:<Region>")
        stages = {stage: version for version, names in answer.get("VersionIdsToStages", {}).items() for stage in names}
        return Described(
            arn, tags.get(USER_TAG), smtp and smtp[1], stages, answer["LastChangedDate"], answer.get("KmsKeyId")
        )

    def read(self, secret):
        """What the versions of a described secret hold. Raises Misfit if a key has no place in them."""
        # The current version is read by its label, since others may move it at any time.
        current = self.version(secret, VersionStage=CURRENT)
        pending = self.version(secret, VersionStage=PENDING) if PENDING in secret.stages else None
        if pending and current and pending.id == current.id:
            pending = None
        return Held(current, pending)

    def previous(self, secret):
        """The key of the previous version. None: there is none, or it fits no rotation."""
        try:
            version = self.version(secret, VersionStage=PREVIOUS) if PREVIOUS in secret.stages else None
        except Misfit:
            return None
        return version and version.key_id

    def version(self, secret, **which):
        try:
            answer = self.call(secret, self.client.get_secret_value, **which)
        except self.client.exceptions.ResourceNotFoundException:
            return None
        if "SecretString" not in answer:
            raise Misfit(f"{secret.arn} is binary. It must be a JSON object")
        fields = self.parse(secret, answer["SecretString"])
        return Version(answer["VersionId"], answer["CreatedDate"], fields, fields.get("AccessKeyId"))

    def parse(self, secret, text):
        """The fields of a secret's text. Raises Misfit if not every byte of other fields would survive."""
        self.values.add(text)
        try:
            fields = json.loads(text, object_pairs_hook=unique)
            written = dump(fields)
            same = exact(written) == exact(text)
            size = len(written.encode())
        except (ValueError, RecursionError):
            # The cause quotes the text.
            raise Misfit(f"{secret.arn} is not a JSON object with each field once") from None
        if not isinstance(fields, dict):
            raise Misfit(f"{secret.arn} is not a JSON object")
        self.values.update(value for value in fields.values() if isinstance(value, str) and len(value) > 7)
        if not same:
            raise Misfit(f"{secret.arn} has a number that would change. Write it as text")
        if size > MOST_BYTES - KEY_BYTES:
            raise Misfit(f"{secret.arn} has no room for another key")
        key_id = fields.get("AccessKeyId")
        if key_id is not None and not (isinstance(key_id, str) and re.fullmatch("[A-Z0-9]{16,128}", key_id)):
            raise Misfit(f"{secret.arn}: the field AccessKeyId is not the id of an access key")
        if key_id is not None and not isinstance(fields.get("SecretAccessKey"), str):
            raise Misfit(f"{secret.arn} has an AccessKeyId, but no SecretAccessKey")
        others = [value for name, value in fields.items() if name not in KEY_FIELDS + SMTP_FIELDS]
        if any(isinstance(value, str) and re.fullmatch("AKIA[A-Z0-9]{16}", value) for value in others):
            names = ", ".join(KEY_FIELDS)
            raise Misfit(f"{secret.arn} has an access key in another field. Name the fields {names}")
        self.values.discard(key_id)
        return fields

    def store(self, secret, fields):
        """Stores a pending version. In a secret without a version it becomes the current one at once.

        Raises Misfit if Secrets Manager refused, and stored nothing.
        """
        text = dump(fields)
        self.values.update([text, *(value for name, value in fields.items() if name in SECRET_FIELDS)])
        self.call(secret, self.client.put_secret_value, SecretString=text, VersionStages=[PENDING])

    def switch(self, secret, current, pending):
        """Makes the pending version current, unless another one than `current` is by now. A look shows which."""
        self.move(secret, CURRENT, current, pending)

    def unlabel(self, secret, current):
        """Takes the label of a pending version from the current one, if it has it."""
        if secret.stages.get(PENDING) == current.id:
            self.move(secret, PENDING, current, None)

    def move(self, secret, stage, before, after):
        to = dict(MoveToVersionId=after.id) if after else {}
        try:
            self.client.update_secret_version_stage(
                SecretId=secret.arn, VersionStage=stage, RemoveFromVersionId=before.id, **to
            )
        except self.client.exceptions.InvalidParameterException:
            # Somebody has moved the label meanwhile.
            pass

    def call(self, secret, operation, **parameters):
        """Calls about a secret's contents. Raises Misfit if Secrets Manager refused, and did nothing."""
        try:
            return operation(SecretId=secret.arn, **parameters)
        except self.client.exceptions.ResourceNotFoundException:
            raise
        except Exception as error:
            if is_refused(error) and error_code(error) not in THROTTLED:
                raise Misfit(self.refusal(secret, error)) from None
            raise

    def refusal(self, secret, error):
        """What to change after a refusal."""
        text = self.hide(str(error))
        if "KMS" not in text and error_code(error) not in ("DecryptionFailure", "EncryptionFailure"):
            return f"Secrets Manager refuses: {text}"
        service = f"secretsmanager.{self.client.meta.region_name}.amazonaws.com"
        return (
            f"the key policy of {secret.kms_key or 'aws/secretsmanager'} must allow kms:Decrypt and "
            f"kms:GenerateDataKey to the role {ROTATION_ROLE}, with kms:ViaService {service}: {text}"
        )

    def hide(self, text):
        """The text without secret values."""
        for value in sorted(self.values, key=len, reverse=True):
            text = text.replace(value, "***")
        return text


def unique(pairs):
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field twice")
    return fields


def dump(fields):
    return json.dumps(fields, ensure_ascii=False)


def exact(text):
    """The JSON value with numbers as they are written."""
    return json.loads(text, parse_int=str, parse_float=str)


def with_key(fields, key_id, value, smtp_region):
    """The fields with this key in the place of the former one. All others stay."""
    key = dict(zip(KEY_FIELDS, (key_id, value)))
    if smtp_region:
        key |= dict(zip(SMTP_FIELDS, (key_id, smtp_password(value, smtp_region))))
    return fields | key


def smtp_password(secret_access_key, region):
    """The password of SES's SMTP endpoint in a Region.

    https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html, "Obtaining Amazon SES SMTP credentials by
    converting existing AWS credentials".
    """
    signed = ("AWS4" + secret_access_key).encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        signed = hmac.new(signed, part.encode(), hashlib.sha256).digest()
    return base64.b64encode(b"\x04" + signed).decode()
