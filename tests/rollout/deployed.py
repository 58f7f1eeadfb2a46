"""What the templates deploy, as moto makes stacks of them, or as their functions resolve."""

import ast
import io
import json
import pathlib
import re
import zipfile

import boto3
from cfnlint.decode.cfn_yaml import loads

ROOT = pathlib.Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
REGION, HUB, MEMBER = "eu-central-1", "111122220000", "111122221111"
COMMAND_LINE = f"arn:aws:iam::{HUB}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Security_????????????????"
CODE = {"CodeBucket": "code", "CodeKey": "function.zip", "CodeSha256": "A" * 43 + "="}


def template(name):
    return json.loads(json.dumps(loads((TEMPLATES / name).read_text())))


def reduced(template, parameters):
    """The template without the items of lists that a condition leaves out, of which moto makes null."""
    values = parameter_values(template, parameters)
    return template | {"Resources": chosen(template["Resources"], values, template.get("Conditions"))}


def parameter_values(template, parameters):
    """The values of a template's parameters and of AWS's own: lists as lists, all others as text. And its mappings."""
    values = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": HUB, "AWS::URLSuffix": "amazonaws.com"}
    values["Mappings"] = template.get("Mappings", {})
    for name, parameter in template["Parameters"].items():
        value = str(parameters.get(name, parameter.get("Default", "")))
        values[name] = value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
    return values | {name: value for name, value in parameters.items() if name not in template["Parameters"]}


NOTHING = object()


def resolved(node, values, conditions):
    """What CloudFormation makes of a node: with the functions that these tests come across."""
    resolve = lambda inner: resolved(inner, values, conditions)
    match node:
        case list():
            return [item for item in map(resolve, node) if item is not NOTHING]
        case {"Ref": "AWS::NoValue"}:
            return NOTHING
        case {"Ref": name}:
            return values[name]
        case {"Fn::GetAtt": name}:
            return values[name if isinstance(name, str) else ".".join(name)]
        case {"Fn::Sub": [text, more]}:
            return resolved(
                {"Fn::Sub": text}, values | {name: resolve(value) for name, value in more.items()}, conditions
            )
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: values[found[1]], text)
        case {"Fn::FindInMap": [name, key, attribute]}:
            return values["Mappings"][name][resolve(key)][resolve(attribute)]
        case {"Fn::Join": [separator, parts]}:
            return separator.join(resolve(parts))
        case {"Fn::Split": [separator, text]}:
            return resolve(text).split(separator)
        case {"Fn::Equals": [left, right]}:
            return resolve(left) == resolve(right)
        case {"Fn::Not": [condition]}:
            return not resolve(condition)
        case {"Fn::And": parts}:
            return all(resolve(parts))
        case {"Fn::Or": parts}:
            return any(resolve(parts))
        case {"Condition": str(name)} | {"Fn::Condition": str(name)} if len(node) == 1:
            return resolve(conditions[name])
        case {"Fn::If": [name, then, otherwise]}:
            return resolve(then if resolve(conditions[name]) else otherwise)
        case dict():
            assert not any(key.startswith("Fn::") for key in node), node
            items = {key: resolve(value) for key, value in node.items()}
            return {key: value for key, value in items.items() if value is not NOTHING}
        case _:
            return node


def chosen(node, values, conditions):
    """A node without the items of lists that a condition leaves out, of which moto makes null."""
    choose = lambda inner: chosen(inner, values, conditions)
    match node:
        case list():
            return [item for item in map(choose, node) if item is not NOTHING]
        case {"Fn::If": [name, then, {"Ref": "AWS::NoValue"}]}:
            return choose(then) if resolved(conditions[name], values, conditions) else NOTHING
        case dict():
            items = {key: choose(value) for key, value in node.items()}
            return {key: value for key, value in items.items() if value is not NOTHING}
        case _:
            return node


def hub_resource(name, **parameters):
    """The properties of a resource that moto does not know."""
    hub = template("hub.yaml")
    return resolved(hub["Resources"][name]["Properties"], parameter_values(hub, parameters), hub["Conditions"])


def upload_code(s3):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("bootstrap", "")
    s3.create_bucket(Bucket=CODE["CodeBucket"], CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=CODE["CodeBucket"], Key=CODE["CodeKey"], Body=archive.getvalue())


def create(name, **parameters):
    """A stack, of a template from S3: member.yaml is too long for a call."""
    s3, bucket = boto3.client("s3"), "templates"
    if bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key=name, Body=json.dumps(reduced(template(name), parameters)))
    boto3.client("cloudformation").create_stack(
        StackName=name.removesuffix(".yaml"),
        TemplateURL=f"https://s3.amazonaws.com/{bucket}/{name}",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def parsed(document):
    """moto keeps some of what a template gives as Python prints it."""
    return ast.literal_eval(document) if isinstance(document, str) else document


def roles():
    iam = boto3.client("iam")
    found = {}
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
        documents = [iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in policies]
        statements = [statement for document in documents for statement in parsed(document)["Statement"]]
        policy = {"Version": "2012-10-17", "Statement": statements}
        found[name] = {"arn": role["Arn"], "trust": role["AssumeRolePolicyDocument"], "policy": policy}
    return found


def documents():
    ssm = boto3.client("ssm")
    names = [document["Name"] for document in ssm.list_documents()["DocumentIdentifiers"]]
    return {name: parsed(ssm.get_document(Name=name)["Content"]) for name in names}
