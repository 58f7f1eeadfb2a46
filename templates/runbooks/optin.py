"""Whether a user's keys rotate into a secret: the user's tag and the secret's, as DescribeSecret gives it."""

import re

from common import SECRET_TAG, client

# On the secret, the user's name. With the user's tag, both sides agree to a rotation.
USER_TAG = "access-key-rotation:user"


class Misfit(Exception):
    """Why nothing can be rotated into a secret. Somebody must change something first."""


def describe(secrets, name, user_arn):
    """What DescribeSecret answers about a secret of the user's account and this Region, by name or ARN, and its tags.

    Raises Misfit if there is no such secret.
    """
    region, account = secrets.meta.region_name, user_arn.split(":")[4]
    parts = name.split(":")
    if parts[0] == "arn" and (parts[2:3] != ["secretsmanager"] or parts[3:5] != [region, account]):
        raise Misfit(f"{name} is not a secret of this account in {region}")
    if not re.fullmatch("[A-Za-z0-9/_+=.@:-]{1,256}", name):
        raise Misfit("the tag of the user is not the name of a secret")
    try:
        answer = secrets.describe_secret(SecretId=name)
    except secrets.exceptions.ResourceNotFoundException as error:
        raise Misfit(f"there is no secret {name} in this account and Region") from error
    return answer, {tag["Key"]: tag["Value"] for tag in answer.get("Tags", [])}


def is_opted_in(user, rotation_path):
    """Whether the user's keys rotate: both tags are there, and the user is under the path of those who can take part.

    `user` is as GetUser returns it. An empty path: nobody can take part. Raises if nobody can tell.
    """
    target = {tag["Key"]: tag["Value"] for tag in user.get("Tags", [])}.get(SECRET_TAG, "").strip()
    is_under_path = user["Arn"].partition(":user")[2].startswith(rotation_path)
    if not target or not rotation_path or not is_under_path:
        return False
    try:
        _, tags = describe(client("secretsmanager", 6), target, user["Arn"])
    except Misfit:
        return False
    return tags.get(USER_TAG) == user["UserName"]
