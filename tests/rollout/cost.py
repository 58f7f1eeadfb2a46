"""What the rule costs in a month, for the table in rule/COST.md: run it to print the table.

Only what grows with accounts and users. The hub's alarms, metrics, dashboard and log are not in it, nor is the
automation of the runbooks.
"""

from decimal import Decimal

# US dollars in US East (N. Virginia). https://aws.amazon.com/config/pricing/, July 2026: an evaluation by a rule of a
# conformance pack is a conformance pack evaluation. Rule evaluations and conformance pack evaluations have the same
# prices, each in tiers of their own. With consolidated billing, the tiers are those of all accounts together.
EVALUATIONS = [(100_000, Decimal("0.001")), (400_000, Decimal("0.0008")), (None, Decimal("0.0005"))]
# Ditto, with continuous recording.
CONFIGURATION_ITEM = Decimal("0.003")
# https://aws.amazon.com/lambda/pricing/, May 2026: arm64, first tier, without the free tier.
REQUEST = Decimal("0.20") / 1_000_000
GB_SECOND = Decimal("0.0000133334")

ACCOUNTS = (50, 500, 5_000)
USERS = 20
DAYS = 30
# Of all users.
IN_VIOLATION = Decimal("0.01")
# Every user has a key and rotates it this often. Three results then differ from the last one: the warning that the key
# is due, and those after the old key was deactivated and deleted.
ROTATION_DAYS = 85
RESULTS_OF_A_ROTATION = 3
# Changes of a user that AWS Config records, per user and month. Rotations are not among them.
CHANGES = Decimal("0.1")
# Of one invocation, generously: `cargo bench` has 0.2 s for three users.
SECONDS = 1
GB = Decimal(128) / 1024


def tiered(count):
    """The price of this many evaluations."""
    cost, left = Decimal(0), Decimal(count)
    for size, price in EVALUATIONS:
        here = left if size is None else min(left, size)
        cost += here * price
        left -= here
    return cost


def month(accounts):
    """The columns of the table, by name: numbers of evaluations and dollars."""
    users = accounts * USERS
    changed = users * CHANGES
    daily = users * DAYS
    rotations = Decimal(users) * DAYS / ROTATION_DAYS * RESULTS_OF_A_ROTATION
    changes = daily * IN_VIOLATION + rotations + changed
    invocations = accounts * DAYS + changed
    function = invocations * (REQUEST + SECONDS * GB * GB_SECOND)
    items = changed * CONFIGURATION_ITEM
    return {
        "users": users,
        "evaluations with `deliver=changes`": changes,
        "evaluations with `deliver=all`": daily + changed,
        "Lambda": function,
        "configuration items of users": items,
        "conformance pack evaluations, `changes`": tiered(changes),
        "conformance pack evaluations, `all`": tiered(daily + changed),
        "**together, `changes`**": tiered(changes) + function + items,
        "**together, `all`**": tiered(daily + changed) + function + items,
        "`access-keys-rotated`, daily": tiered(daily),
    }


def shown(name, value):
    text = f"{value:,.0f}" if name.startswith(("users", "evaluations")) else f"${value:,.2f}"
    return f"**{text}**" if name.startswith("**") else text


def table():
    months = [month(accounts) for accounts in ACCOUNTS]
    lines = [
        "| A month | " + " | ".join(f"{accounts:,} accounts" for accounts in ACCOUNTS) + " |",
        "|---|" + "---|" * len(ACCOUNTS),
    ]
    for name in months[0]:
        lines.append(f"| {name} | " + " | ".join(shown(name, figures[name]) for figures in months) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
