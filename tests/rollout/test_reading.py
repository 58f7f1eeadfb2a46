"""The manual is short enough to be read.

A word is whatever stands between spaces and has a letter or a digit, in what a reader sees of a page: without blocks of
code, the tables that a test generates, and the targets of links. People read 238 words a minute (Brysbaert 2019, "How
many words do we read per minute?"). The manual is what a user reads: no reference, and no page of NOT_THE_MANUAL."""

import re

import pytest

from pages import MANUAL, NOT_THE_MANUAL, PAGES, REFERENCES, ROOT

WORDS_A_MINUTE = 238


def words(text):
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!-- generated: .*?<!-- end -->", "", text, flags=re.DOTALL)
    return [word for word in re.sub(r"\]\([^)]*\)", "]", text).split() if re.search(r"\w", word)]


def test_no_page_is_left_out():
    found = (path for folder in ("templates", "rule", "rule/cli") for path in (ROOT / folder).glob("*.md"))
    assert {str(path.relative_to(ROOT)) for path in found} <= {*PAGES}


@pytest.mark.parametrize("page", [page for page in PAGES if page not in REFERENCES])
def test_a_page_is_short(page):
    assert len(MANUAL[page].encode()) <= 15_000


def test_the_first_page_is_read_in_three_minutes():
    assert len(words(MANUAL["README.md"])) <= 700


def test_the_manual_is_read_in_an_hour():
    read = {page: len(words(MANUAL[page])) for page in PAGES if page not in (*REFERENCES, *NOT_THE_MANUAL)}
    assert sum(read.values()) <= 60 * WORDS_A_MINUTE, read


def test_what_is_not_counted_is_no_word():
    page = "# One [two](three) | `four` |\n```sh\nfive\n```\n<!-- generated: six -->\nseven\n<!-- end -->\n"
    assert words(page) == ["One", "[two]", "`four`"]
