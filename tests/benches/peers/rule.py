"""A custom rule on rdklib, as its guide teaches it: a change is about one user, and a sweep reads the keys of every
user and reports every user. It is written for the comparison. `ExemptUsers` has the shape of the exceptions in awslabs'
sample rules: a list in a parameter."""

from datetime import datetime, timedelta, timezone

from rdklib import ComplianceType, ConfigRule, Evaluation, Evaluator

USER = "AWS::IAM::User"


class AccessKeyAge(ConfigRule):
    def evaluate_parameters(self, rule_parameters):
        return {
            "oldest": timedelta(days=int(rule_parameters.get("MaxAccessKeyAge", 90))),
            "exempt": set(filter(None, rule_parameters.get("ExemptUsers", "").split(","))),
        }

    def evaluate_change(self, event, client_factory, configuration_item, valid_rule_parameters):
        iam = client_factory.build_client("iam")
        return [
            evaluate(iam, configuration_item["resourceId"], configuration_item["resourceName"], valid_rule_parameters)
        ]

    def evaluate_periodic(self, event, client_factory, valid_rule_parameters):
        iam = client_factory.build_client("iam")
        return [
            evaluate(iam, user["UserId"], user["UserName"], valid_rule_parameters)
            for page in iam.get_paginator("list_users").paginate()
            for user in page["Users"]
        ]


def evaluate(iam, user_id, name, parameters):
    now = datetime.now(timezone.utc)
    stale = [
        key["AccessKeyId"]
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]
        if key["Status"] == "Active" and now - key["CreateDate"] > parameters["oldest"]
    ]
    if stale and name not in parameters["exempt"]:
        compliance, annotation = ComplianceType.NON_COMPLIANT, f"Stale: {', '.join(stale)}"
    else:
        compliance, annotation = ComplianceType.COMPLIANT, ""
    return Evaluation(compliance, user_id, USER, annotation)


def lambda_handler(event, context):
    return Evaluator(AccessKeyAge(), [USER]).handle(event, context)
