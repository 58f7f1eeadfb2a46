"""The report: Markdown and JSON, to attach to an issue."""

import json
import re
import unicodedata

from questions import VERDICTS

ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
# Ids of access keys, users and roles: an access key's id tells the account.
UNIQUE_ID = re.compile(r"\b(?:AKIA|ASIA|AIDA|AROA)[A-Z0-9]{8,}")
ORGANIZATION = re.compile(r"\bo-[a-z0-9]{10,32}\b")
HIDDEN_FIELDS = ("SecretAccessKey", "SessionToken", "SecretString", "ResultToken", "resultToken")


def visible(text):
    """On one line, without characters that act on a terminal or turn text around."""
    plain = (" " if c.isspace() else c for c in text)
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") else c for c in plain)


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return None


def secrets_in(answer):
    """The secrets in an answer of AWS, at any depth."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in HIDDEN_FIELDS and isinstance(value, str):
                yield value
                if name == "SecretString":
                    yield from secrets_in(parsed(value))
            else:
                yield from secrets_in(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from secrets_in(value)


def cleaner(secrets, redact):
    """A function that makes a text fit for the report."""

    def clean(text):
        # The longest first: one may be a part of another.
        for secret in sorted(secrets, key=len, reverse=True):
            text = text.replace(secret, "(secret)")
        if redact:
            text = ACCOUNT.sub("(account)", text)
            text = UNIQUE_ID.sub("(id)", text)
            text = ORGANIZATION.sub("(organization)", text)
        return visible(text)

    return clean


def report(header, steps, seen, left, clean):
    """The report as a dict. `header` has texts, `seen` what was seen by the question's name."""
    rows = [
        dict(
            name=question.name,
            question=question.question,
            seen=clean(seen[question.name].words),
            verdict=seen[question.name].verdict,
            page=question.page,
            sentence=question.sentence,
        )
        for step in steps
        for question in step.questions
    ]
    return dict(
        {name: clean(text) for name, text in header.items()},
        questions=rows,
        left=[dict(thing=clean(thing), why=clean(why)) for thing, why in left],
    )


def as_json(found):
    return json.dumps(found, indent=2) + "\n"


def cell(text):
    """As code: nothing in it is markup, a link or a mention."""
    return "`" + text.replace("`", "'").replace("|", "\\|") + "`" if text else ""


def counts(found):
    verdicts = [row["verdict"] for row in found["questions"]]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS)


def as_markdown(found):
    header = [f"- {name}: {cell(text)}" for name, text in found.items() if isinstance(text, str)]
    rows = [
        f"| {row['question']} | {cell(row['seen'])} | {row['verdict']} | {row['page']}: {cell(row['sentence'])} |"
        for row in found["questions"]
    ]
    left = [f"- {cell(entry['thing'])}: {cell(entry['why'])}" for entry in found["left"]]
    lines = [
        "# The first hour on AWS",
        "",
        *header,
        "",
        counts(found) + ".",
        "",
        "| Question | What was seen | Verdict | What it would change |",
        "|---|---|---|---|",
        *rows,
        "",
        *(["Left behind:", "", *left] if left else ["Nothing that the run made is left."]),
    ]
    return "\n".join(lines) + "\n"
