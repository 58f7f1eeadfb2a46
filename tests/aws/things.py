"""The kinds of things that a run makes: how to find one by its name, and how to delete it.

Each thing has a name with the run's id, and a tag with it where AWS has tags. Nothing else is ever deleted.
"""

from typing import Callable, NamedTuple

from questions import FAILURES, code, told

TAG = "first-hour"
RECORDS = "/access-key-rotation/"
MOST_PAGES = 50
GONE = (
    "NoSuchEntity",
    "ResourceNotFoundException",
    "InvalidDocument",
    "NoSuchConfigRuleException",
    "NoSuchConformancePackException",
    "NoSuchOrganizationConformancePackException",
    "NoSuchRemediationConfigurationException",
    "ParameterNotFound",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
)


def is_gone(error):
    # CloudFormation has no code of its own for it.
    return code(error) in GONE or (code(error) == "ValidationError" and "does not exist" in told(error))


def pairs(tags, key="Key", value="Value"):
    return {tag[key]: tag[value] for tag in tags}


def pages(client, operation, **parameters):
    for number, page in enumerate(client.get_paginator(operation).paginate(**parameters)):
        if number == MOST_PAGES:
            raise RuntimeError(f"{operation} does not end")
        yield page


def tags_of_user(aws, name):
    return pairs(aws("iam").get_user(UserName=name)["User"].get("Tags", []))


def delete_user(aws, name):
    iam, ssm = aws("iam"), aws("ssm")
    user_id = iam.get_user(UserName=name)["User"]["UserId"]
    keys = [key for page in pages(iam, "list_access_keys", UserName=name) for key in page["AccessKeyMetadata"]]
    # What the runbooks note about the user and the keys.
    for record in (f"users/{user_id}", *(f"keys/{key['AccessKeyId']}" for key in keys)):
        try:
            ssm.delete_parameter(Name=RECORDS + record)
        except FAILURES as error:
            if not is_gone(error):
                raise
    for key in keys:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


def tags_of_role(aws, name):
    return pairs(aws("iam").get_role(RoleName=name)["Role"].get("Tags", []))


def delete_role(aws, name):
    iam = aws("iam")
    for page in pages(iam, "list_role_policies", RoleName=name):
        for policy in page["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def tags_of_secret(aws, name):
    secret = aws("secretsmanager").describe_secret(SecretId=name)
    return None if secret.get("DeletedDate") else pairs(secret.get("Tags", []))


def delete_secret(aws, name):
    aws("secretsmanager").delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def tags_of_document(aws, name):
    aws("ssm").describe_document(Name=name)
    return pairs(aws("ssm").list_tags_for_resource(ResourceType="Document", ResourceId=name)["TagList"])


def delete_document(aws, name):
    aws("ssm").delete_document(Name=name)


def tags_of_stack(aws, name):
    [stack] = aws("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return pairs(stack.get("Tags", []))


def delete_stack(aws, name):
    aws("cloudformation").delete_stack(StackName=name)


def tags_of_function(aws, name):
    return aws("lambda").get_function(FunctionName=name).get("Tags", {})


def delete_function(aws, name):
    aws("lambda").delete_function(FunctionName=name)


def tags_of_log_group(aws, name):
    name = f"/aws/lambda/{name}"
    groups = aws("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    found = any(group["logGroupName"] == name for group in groups)
    return aws("logs").list_tags_log_group(logGroupName=name)["tags"] if found else None


def delete_log_group(aws, name):
    aws("logs").delete_log_group(logGroupName=f"/aws/lambda/{name}")


def tags_of_rule(aws, name):
    rules = aws("config").describe_config_rules(ConfigRuleNames=[name])["ConfigRules"]
    if not rules:
        return None
    return pairs(aws("config").list_tags_for_resource(ResourceArn=rules[0]["ConfigRuleArn"])["Tags"])


def delete_rule(aws, name):
    config = aws("config")
    try:
        config.delete_remediation_configuration(ConfigRuleName=name)
    except FAILURES as error:
        # A rule with one cannot be deleted.
        if not is_gone(error):
            raise
    config.delete_config_rule(ConfigRuleName=name)


def tags_of_pack(aws, name):
    aws("config").describe_conformance_packs(ConformancePackNames=[name])
    return None


def tags_of_organization_pack(aws, name):
    aws("config").describe_organization_conformance_packs(OrganizationConformancePackNames=[name])
    return None


def delete_pack(aws, name):
    aws("config").delete_conformance_pack(ConformancePackName=name)


def delete_organization_pack(aws, name):
    aws("config").delete_organization_conformance_pack(OrganizationConformancePackName=name)


def tags_of_bus(aws, name):
    arn = aws("events").describe_event_bus(Name=name)["Arn"]
    return pairs(aws("events").list_tags_for_resource(ResourceARN=arn)["Tags"])


def delete_bus(aws, name):
    aws("events").delete_event_bus(Name=name)


def tags_of_bus_rule(bus):
    def tags(aws, name):
        arn = aws("events").describe_rule(Name=name, EventBusName=bus or name)["Arn"]
        return pairs(aws("events").list_tags_for_resource(ResourceARN=arn)["Tags"])

    return tags


def delete_bus_rule(bus):
    def delete(aws, name):
        where = dict(EventBusName=bus or name)
        targets = aws("events").list_targets_by_rule(Rule=name, **where)["Targets"]
        if targets:
            aws("events").remove_targets(Rule=name, Ids=[target["Id"] for target in targets], **where)
        aws("events").delete_rule(Name=name, **where)

    return delete


def tags_of_queue(aws, name):
    url = aws("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    return aws("sqs").list_queue_tags(QueueUrl=url).get("Tags", {})


def delete_queue(aws, name):
    aws("sqs").delete_queue(QueueUrl=aws("sqs").get_queue_url(QueueName=name)["QueueUrl"])


class Kind(NamedTuple):
    """`tags` gives a thing's tags, and fails as AWS does if there is no such thing. None: AWS keeps no tags of it, or
    it is about to go."""

    words: str
    tags: Callable
    delete: Callable
    has_tags: bool = True


KINDS = {
    "user": Kind("an IAM user without permissions", tags_of_user, delete_user),
    "role": Kind("an IAM role", tags_of_role, delete_role),
    "secret": Kind("a secret of Secrets Manager", tags_of_secret, delete_secret),
    "document": Kind("a document of Systems Manager", tags_of_document, delete_document),
    "stack": Kind("a stack of CloudFormation", tags_of_stack, delete_stack),
    "function": Kind("a Lambda function", tags_of_function, delete_function),
    "log group": Kind("a log group", tags_of_log_group, delete_log_group),
    "rule": Kind("a rule of AWS Config", tags_of_rule, delete_rule),
    "pack": Kind("a conformance pack", tags_of_pack, delete_pack, False),
    "organization pack": Kind(
        "a conformance pack of the organization, for the member only",
        tags_of_organization_pack,
        delete_organization_pack,
        False,
    ),
    "bus": Kind("an event bus", tags_of_bus, delete_bus),
    "rule of the bus": Kind("a rule of EventBridge on that bus", tags_of_bus_rule(None), delete_bus_rule(None)),
    "rule of the default bus": Kind(
        "a rule of EventBridge on the default bus", tags_of_bus_rule("default"), delete_bus_rule("default")
    ),
    "queue": Kind("a queue of SQS", tags_of_queue, delete_queue),
}
