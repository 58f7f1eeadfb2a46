"""What the manual's pages name is there: pages, headings, tests."""

import re

import pytest

from pages import MANUAL, PAGES, ROOT


def test_every_test_that_the_threat_model_names_exists():
    named = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+){3,})`", MANUAL["SECURITY.md"]))
    sources = [
        path.read_text()
        for room in ("rule", "tests")
        for path in (ROOT / room).rglob("*")
        if path.suffix in (".rs", ".py")
    ]
    defined = {name for source in sources for name in re.findall(r"\b(?:fn|def) (\w+)", source)}
    assert len(named) > 15 and named - defined == set()


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)]+)\)", MANUAL[page])
    assert links or page == "CONTRIBUTING.md"
    for link in links:
        path, _, anchor = link.partition("#")
        if not path.startswith("https://"):
            target = ((ROOT / page).parent / path).resolve() if path else ROOT / page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text()), link
