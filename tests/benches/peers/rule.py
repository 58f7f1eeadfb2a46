"""A custom rule on rdklib, as its guide teaches it: one sweep reads the keys of every user and reports every user. It is written for
the comparison. `ExemptUsers` has the shape of the exceptions in awslabs' sample rules: a list in a parameter."""

from datetime import datetime, timedelta, timezone

from rdklib import ComplianceType, ConfigRule, Evaluation, Evaluator


class AccessKeyAge(ConfigRule):
    def evaluate_parameters(self, rule_parameters):
        return {
            "oldest": timedelta(days=int(rule_parameters.get("MaxAccessKeyAge", 90))),
            "exempt": set(filter(None, rule_parameters.get("ExemptUsers", "").split(","))),
        }

    def evaluate_periodic(self, event, client_factory, valid_rule_parameters):
        iam = client_factory.build_client("iam")
        now = datetime.now(timezone.utc)
        evaluations = []
        for page in iam.get_paginator("list_users").paginate():
            for user in page["Users"]:
                keys = iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]
                stale = [
                    key["AccessKeyId"]
                    for key in keys
                    if key["Status"] == "Active" and now - key["CreateDate"] > valid_rule_parameters["oldest"]
                ]
                if stale and user["UserName"] not in valid_rule_parameters["exempt"]:
                    compliance, annotation = ComplianceType.NON_COMPLIANT, f"Stale: {', '.join(stale)}"
                else:
                    compliance, annotation = ComplianceType.COMPLIANT, ""
                evaluations.append(Evaluation(compliance, user["UserId"], "AWS::IAM::User", annotation))
        return evaluations


def lambda_handler(event, context):
    return Evaluator(AccessKeyAge()).handle(event, context)
