"""The table of costs in the page is what the script calculates, and says on what it rests."""

import pathlib
import re
from decimal import Decimal

import pytest

import cost

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "rule/COST.md").read_text()


def test_the_table_is_the_scripts():
    [table] = re.findall(r"^\| A month \|.*?(?=^$)", PAGE, re.MULTILINE | re.DOTALL)
    assert table == cost.table()


def test_the_first_page_says_the_same():
    found = cost.month(500)
    ours, theirs = found["**together, `changes`**"], found["`access-keys-rotated`, daily"]
    text = f"500 accounts of {cost.USERS} users cost about ${ours:.0f} a month; AWS's own rule costs ${theirs:.0f}."
    assert text in " ".join((ROOT / "README.md").read_text().split())


@pytest.mark.parametrize(
    "count, dollars",
    [
        (0, "0"),
        (1, "0.001"),
        (100_000, "100"),
        (100_001, "100.0008"),
        (500_000, "420"),
        (500_001, "420.0005"),
        (3_000_000, "1670"),
    ],
)
def test_the_tiers(count, dollars):
    assert cost.tiered(count) == Decimal(dollars)


def test_what_one_account_costs_by_hand():
    """20 users: 2 changes, 30 sweeps, 6 results of the violation, and 20 x 30 / 85 x 3 of rotations."""
    found = cost.month(1)
    assert found["evaluations with `deliver=all`"] == 20 * 30 + 2
    assert round(found["evaluations with `deliver=changes`"], 2) == Decimal("29.18")
    assert found["configuration items of users"] == Decimal("0.006")
    # 32 invocations: requests for 0.0000064, 4 GB-seconds for 0.0000533336.
    assert found["Lambda"] == Decimal("0.0000597336")
    assert found["**together, `all`**"] == Decimal("0.602") + Decimal("0.006") + Decimal("0.0000597336")


def test_the_page_says_on_what_the_table_rests():
    said = " ".join(PAGE.split())
    for text in (
        f"{cost.USERS} users",
        f"{cost.IN_VIOLATION * 100:.0f} % of the users are in violation",
        f"after {cost.ROTATION_DAYS} days",
        f"{cost.DAYS} sweeps",
        "https://aws.amazon.com/config/pricing/",
        "https://aws.amazon.com/lambda/pricing/",
    ):
        assert text in said, text
    assert cost.CHANGES == Decimal("0.1") and "a tenth of the users" in said
