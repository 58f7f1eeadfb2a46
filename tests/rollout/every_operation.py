"""Calls each operation of the services' models once, with no parameters but those that are in the path."""

from awscli.botocore.config import Config
from awscli.botocore.session import Session

SERVICES = (
    "iam",
    "sts",
    "config",
    "organizations",
    "events",
    "ssm",
    "cloudtrail",
    "secretsmanager",
    "lambda",
    "account",
)

for service in SERVICES:
    client = Session().create_client(service, config=Config(parameter_validation=False))
    for operation in client.meta.service_model.operation_names:
        shape = client.meta.service_model.operation_model(operation).input_shape
        members = shape.members.items() if shape else []
        path = {name: "x" for name, member in members if member.serialization.get("location") == "uri"}
        try:
            client._make_api_call(operation, path)
        except client.exceptions.ClientError:
            pass
