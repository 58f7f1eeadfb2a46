"""Who may invoke the function, by the parameters of hub.yaml."""

import json
import re

import pytest

from deployed import HUB, MEMBER, REGION, hub_resource, parameter_values, resolved, template

ORGANIZATION = "o-exampleorgid"
FUNCTION = f"arn:aws:lambda:{REGION}:{HUB}:function:access-key-rotation"


def who_may_invoke(**parameters):
    """The conditions of the policy's statements. None: AWS Config of any account."""
    policy = hub_resource("InvocationPolicy", **parameters, **{"Function.Arn": FUNCTION})
    assert policy["ResourceArn"] == FUNCTION
    assert len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) <= 20_480
    statements = policy["PolicyDocument"]["Statement"]
    for statement in statements:
        assert statement["Effect"] == "Allow"
        assert statement["Principal"] == {"Service": "config.amazonaws.com"}
        assert statement["Action"] == "lambda:InvokeFunction"
        assert statement["Resource"] == FUNCTION
    sids = [statement["Sid"] for statement in statements]
    assert len(set(sids)) == len(sids)
    return [statement.get("Condition") for statement in statements]


def equals(key, value):
    return {"StringEquals": {key: value}}


OTHER = "210987654321"
THIS_ACCOUNT = equals("aws:SourceAccount", HUB)
ACCOUNTS = equals("aws:SourceAccount", [MEMBER, OTHER])


@pytest.mark.parametrize(
    "parameters, allowed",
    [
        ({}, []),
        ({"MemberAccounts": MEMBER, "OrganizationMayInvoke": "true"}, []),
        # An empty list is nobody: see test_no_empty_list_is_deployed.
        ({"OrganizationId": ORGANIZATION}, []),
        ({"OrganizationId": ORGANIZATION, "AnyAccountMayInvoke": "true"}, [None]),
        ({"OrganizationId": ORGANIZATION, "AnyAccountMayInvoke": "true", "MemberAccounts": MEMBER}, [None]),
        ({"AnyAccountMayInvoke": "true"}, []),
        ({"OrganizationId": ORGANIZATION, "MemberAccounts": f"{MEMBER},{OTHER}"}, [ACCOUNTS]),
        ({"OrganizationId": ORGANIZATION, "MemberAccounts3": f"{MEMBER},{OTHER}"}, [ACCOUNTS]),
        ({"OrganizationId": ORGANIZATION, "OrganizationMayInvoke": "true"}, [equals("aws:SourceOrgID", ORGANIZATION)]),
        (
            {"OrganizationId": ORGANIZATION, "OrganizationMayInvoke": "true", "MemberAccounts": f"{MEMBER},{OTHER}"},
            [equals("aws:SourceOrgID", ORGANIZATION)],
        ),
    ],
)
def test_who_may_invoke_the_function(parameters, allowed):
    assert who_may_invoke(**parameters) == [THIS_ACCOUNT, *allowed]


@pytest.mark.parametrize(
    "given, is_deployed",
    [
        ({}, False),
        ({"MemberAccounts": MEMBER}, True),
        ({"MemberAccounts4": MEMBER}, True),
        ({"OrganizationMayInvoke": "true"}, True),
        ({"AnyAccountMayInvoke": "true"}, True),
    ],
)
@pytest.mark.parametrize("name", ["hub.yaml", "organization.yaml"])
def test_no_empty_list_is_deployed(name, given, is_deployed):
    """CloudFormation checks the rules of a template before it touches a resource. No emulator does."""
    text = template(name)
    values = parameter_values(text, {"OrganizationId": ORGANIZATION, **given})
    [rule] = text["Rules"].values()
    [assertion] = rule["Assertions"]
    assert resolved(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}), values, {})
    assert resolved(assertion["Assert"], values, {}) == is_deployed
    assert "MemberAccounts is empty" in assertion["AssertDescription"]


def test_without_an_organization_there_is_no_list():
    [rule] = template("hub.yaml")["Rules"].values()
    assert not resolved(rule["RuleCondition"], parameter_values(template("hub.yaml"), {}), {})


@pytest.mark.parametrize(
    "accounts, allowed",
    [
        ("", True),
        (MEMBER, True),
        (f"{MEMBER},{OTHER}", True),
        (f"{MEMBER}, {OTHER}", False),
        (f"{MEMBER},", False),
        ("None", False),
        (",", False),
    ],
)
def test_a_list_of_accounts_has_accounts_only(accounts, allowed):
    for name in ("hub.yaml", "organization.yaml"):
        for number in ("", "2", "3", "4"):
            pattern = template(name)["Parameters"][f"MemberAccounts{number}"]["AllowedPattern"]
            assert bool(re.fullmatch(pattern, accounts)) == allowed


def test_the_lists_and_the_policy_have_room_for_1260_accounts():
    account = 111122220000
    most = ",".join(str(account + n) for n in range(315))
    assert len(most.encode()) <= 4096 < len(most) + 13
    lists = [name for name in template("hub.yaml")["Parameters"] if name.startswith("MemberAccounts")]
    conditions = who_may_invoke(OrganizationId=ORGANIZATION, **{name: most for name in lists})
    assert len(lists) == 4 and len(conditions) == 5


@pytest.mark.parametrize(
    "region, organization, anyone, permissions",
    [
        (REGION, ORGANIZATION, "true", []),
        ("us-gov-west-1", ORGANIZATION, "true", [HUB, None]),
        ("us-gov-west-1", ORGANIZATION, "false", [HUB]),
        ("us-gov-west-1", "", "true", [HUB]),
        ("cn-north-1", ORGANIZATION, "true", [HUB, None]),
        ("cn-north-1", ORGANIZATION, "false", [HUB]),
    ],
)
def test_where_cloudformation_has_no_policy_for_functions_there_are_permissions(
    region, organization, anyone, permissions
):
    hub = template("hub.yaml")
    given = {"OrganizationId": organization, "AnyAccountMayInvoke": anyone, "MemberAccounts": MEMBER}
    values = parameter_values(hub, {**given, "AWS::Region": region, "Function": "access-key-rotation"})
    holds = lambda resource: resolved({"Condition": resource["Condition"]}, values, hub["Conditions"])
    of_type = lambda kind: [r for r in hub["Resources"].values() if r["Type"] == f"AWS::Lambda::{kind}" and holds(r)]
    found = [resolved(permission["Properties"], values, hub["Conditions"]) for permission in of_type("Permission")]
    assert [permission.get("SourceAccount") for permission in found] == permissions
    # Either would overwrite the other.
    assert len(of_type("ResourcePolicy")) == (not permissions)
