"""What the rotation's role may do, and that nothing of it is there unless somebody asks for it."""

from deployed import chosen, parameter_values, resolved, template

MEMBER = template("member.yaml")
ROLE = "access-key-rotation-rotation"


def resources(**parameters):
    """The resources that are created for these parameters."""
    conditions, values = MEMBER["Conditions"], parameter_values(MEMBER, {"HubAccountId": "210987654321", **parameters})
    is_created = lambda resource: resolved(conditions[resource["Condition"]], values, conditions)
    created = {
        name: resource
        for name, resource in MEMBER["Resources"].items()
        if "Condition" not in resource or is_created(resource)
    }
    return chosen(created, values, conditions)


def statements(**parameters):
    """(role's name, statement) of each policy of a role."""
    for resource in resources(**parameters).values():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    actions = statement["Action"]
                    yield (
                        resource["Properties"]["RoleName"],
                        statement,
                        [actions] if isinstance(actions, str) else actions,
                    )


WAYS = ("iam:CreateAccessKey", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "kms:Decrypt", "iam:*")


def test_without_rotation_no_role_makes_keys_or_reads_secrets_and_nothing_starts_by_itself():
    for parameters in ({}, {"RotationSchedule": "rate(1 day)", "RotationPath": "/"}):
        found = [role for role, _, actions in statements(**parameters) if any(action in WAYS for action in actions)]
        assert found == []
        kinds = [resource["Type"] for resource in resources(**parameters).values()]
        assert "AWS::Scheduler::Schedule" not in kinds
        names = [resource["Properties"].get("Name") for resource in resources(**parameters).values()]
        assert "AccessKeyRotation-RotateKey" not in names


def test_with_rotation_nothing_starts_by_itself_unless_there_is_a_schedule():
    kinds = [resource["Type"] for resource in resources(Rotation="true").values()]
    assert "AWS::Scheduler::Schedule" not in kinds
    assert "AWS::Scheduler::Schedule" in [
        resource["Type"] for resource in resources(Rotation="true", RotationSchedule="rate(1 day)").values()
    ]


def test_only_users_and_secrets_with_the_tags_are_changed():
    changes = {}
    for role, statement, actions in statements(Rotation="true"):
        if any(action in WAYS for action in actions):
            assert role == ROLE
        if role == ROLE:
            changes |= {action: statement for action in actions}
    for action in ("iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey"):
        assert changes[action]["Resource"]["Fn::Sub"].endswith(":user${RotationPath}*")
        assert changes[action]["Condition"] == {"StringLike": {"aws:ResourceTag/access-key-rotation:secret": "?*"}}
    for action in ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"):
        condition = changes[f"secretsmanager:{action}"]["Condition"]
        assert condition == {"StringLike": {"secretsmanager:ResourceTag/access-key-rotation:user": "?*"}}
    assert changes["kms:Decrypt"]["Condition"]["StringEquals"].keys() == {"kms:ViaService"}
    assert changes["iam:TagUser"]["Condition"]["ForAllValues:StringEquals"] == {
        "aws:TagKeys": "access-key-rotation:last-change"
    }
    assert not any(action.startswith("secretsmanager:Delete") or action.endswith("*") for action in changes)
