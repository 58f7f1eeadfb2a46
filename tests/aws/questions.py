"""Questions to AWS, and what was seen."""

from typing import Callable, NamedTuple, Optional

from botocore.exceptions import BotoCoreError, ClientError

AS_SAID, DIFFERS, NOT_ASKED, SKIPPED = "as the manual says", "differs", "could not be asked", "skipped"
VERDICTS = (AS_SAID, DIFFERS, NOT_ASKED, SKIPPED)
FAILURES = (ClientError, BotoCoreError)
MOST_WORDS = 400


class Seen(NamedTuple):
    verdict: str
    words: str


class Question(NamedTuple):
    """`page` has the words that another answer would change. `ask` takes the run, and gives what was seen."""

    name: str
    question: str
    page: str
    sentence: str
    ask: Callable


class Thing(NamedTuple):
    """What a step makes: a kind of `things.KINDS`, the end of its name, and the account."""

    kind: str
    suffix: str
    account: str = "own"


class Step(NamedTuple):
    """Questions that need the same things. `begin` makes them. `can` says why they cannot be asked, or None."""

    title: str
    questions: tuple
    makes: tuple = ()
    begin: Callable = lambda run: None
    can: Callable = lambda run: None
    note: Optional[str] = None


class NotAsked(Exception):
    """Why AWS could not be asked."""


class Skipped(Exception):
    """Why a question was left out."""


def as_said(words):
    return Seen(AS_SAID, words)


def differs(words):
    return Seen(DIFFERS, words)


def code(error):
    """AWS's code of an error. Empty: the error is not AWS's."""
    return getattr(error, "response", {}).get("Error", {}).get("Code", "")


def told(error):
    """AWS's own words about an error."""
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {code(error)}: {error.response['Error'].get('Message', '')}"
    return str(error)


def is_denied(error):
    return code(error) in ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")


def answer_of(question, run):
    """What was seen. An answer that nobody expected says nothing about the manual."""
    try:
        seen = question.ask(run)
    except NotAsked as why:
        seen = Seen(NOT_ASKED, str(why))
    except Skipped as why:
        seen = Seen(SKIPPED, str(why))
    except Exception as error:
        seen = Seen(NOT_ASKED, told(error) or type(error).__name__)
    return Seen(seen.verdict, seen.words[:MOST_WORDS])
