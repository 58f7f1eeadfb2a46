"""Questions that only read."""

from questions import NotAsked, Question, Step, as_said, code, differs, told
from things import MOST_PAGES

# As the command line asks them: rule/cli/src/findings/credential_listing.rs.
SERVICES = (
    "aws-external-anthropic.amazonaws.com",
    "bedrock.amazonaws.com",
    "cloudwatch.amazonaws.com",
    "logs.amazonaws.com",
    "codecommit.amazonaws.com",
    "cassandra.amazonaws.com",
)
QUARANTINE = ("AWSCompromisedKeyQuarantine", "AWSCompromisedKeyQuarantineV2", "AWSCompromisedKeyQuarantineV3")
INVALID = ("ValidationError", "InvalidInput", "InvalidParameterValue")


def credentials(iam, **which):
    """The ids of service-specific credentials. IAM's listing has no paginator."""
    found, marker = set(), {}
    for _ in range(MOST_PAGES):
        answer = iam.list_service_specific_credentials(AllUsers=True, **which, **marker)
        found.update(entry["ServiceSpecificCredentialId"] for entry in answer["ServiceSpecificCredentials"])
        if not answer.get("IsTruncated"):
            return found
        marker = dict(Marker=answer["Marker"])
    raise NotAsked("the listing of credentials does not end")


def credentials_of_all_services(run):
    iam = run.client("iam")
    try:
        together = credentials(iam)
    except iam.exceptions.ClientError as error:
        if code(error) in INVALID:
            return differs(told(error))
        raise
    one_by_one, refused = set(), []
    for service in SERVICES:
        try:
            one_by_one |= credentials(iam, ServiceName=service)
        except iam.exceptions.ClientError as error:
            if code(error) not in INVALID:
                raise
            refused.append(service)
    words = f"{len(together)} credentials at once, {len(one_by_one)} service by service"
    words += f". Refused: {', '.join(refused)}" if refused else ""
    if one_by_one - together:
        return differs(words)
    if not together:
        raise NotAsked(
            "IAM takes the call, but the account has no such credential: make one, for example for CodeCommit"
        )
    return as_said(words)


def exposed_users(run):
    iam, missing, users = run.client("iam"), [], 0
    for policy in QUARANTINE:
        arn = f"arn:{run.partition}:iam::aws:policy/{policy}"
        try:
            users += len(iam.list_entities_for_policy(PolicyArn=arn, EntityFilter="User")["PolicyUsers"])
        except iam.exceptions.NoSuchEntityException:
            missing.append(policy)
    if len(missing) == len(QUARANTINE):
        return differs(f"IAM knows none of {', '.join(QUARANTINE)}")
    return as_said(f"{users} users" + (f". IAM does not know {', '.join(missing)}" if missing else ""))


STEP = Step(
    title="Reads",
    questions=(
        Question(
            "credentials-of-all-services",
            "Does ListServiceSpecificCredentials with AllUsers need a ServiceName?",
            "rule/cli/README.md",
            "Nobody has tried on AWS whether IAM lists the credentials of all services at once.",
            credentials_of_all_services,
        ),
        Question(
            "exposed-users",
            "Does ListEntitiesForPolicy answer for the policies of exposed users?",
            "rule/DESIGN.md",
            "Three calls of `ListEntitiesForPolicy` tell a sweep who is exposed, however many users there are.",
            exposed_users,
        ),
    ),
)
