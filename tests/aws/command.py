"""The command line: whom it asks, what it asks before, and what it leaves."""

import argparse
import functools
import re
import secrets
import shlex
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import boto3
from botocore.config import Config

import bus
import cloud_trail
import documents
import function
import into_secret
import organization
import pack
import reads
import users
from made import Made
from questions import FAILURES, NOT_ASKED, SKIPPED, Seen, Skipped, answer_of, told
from report import as_json, as_markdown, cleaner, counts, report, secrets_in, visible
from things import KINDS

# In order of what they can touch.
STEPS = (
    reads.STEP,
    users.STEP,
    documents.STEP,
    into_secret.STEP,
    function.STEP,
    pack.STEP,
    bus.STEP,
    organization.STEP,
    cloud_trail.STEP,
)
HELP = """\
Ask a sandbox account of AWS what the manual calls untried. It reads first, and asks before each step that makes
something. What it made, it deletes at the end, also after Ctrl-C. It never touches what it did not make.

Exit statuses: 0: done; 1: something could not be deleted; 2: wrong usage, or another account; 130: Ctrl-C."""


def arguments(given):
    parser = argparse.ArgumentParser("first-hour", description=HELP, formatter_class=argparse.RawTextHelpFormatter)
    account = functools.partial(re.fullmatch, "[0-9]{12}")
    parser.add_argument("--account", required=True, help="the sandbox account's id, which AWS must confirm")
    parser.add_argument("--profile", help="the AWS CLI's profile for it")
    parser.add_argument("--region", help="the home Region")
    parser.add_argument("--member-account", help="the id of a second sandbox account of the organization")
    parser.add_argument("--member-profile", help="the AWS CLI's profile for it")
    parser.add_argument("--organization", action="store_true", help="also deploy a pack to that member only")
    parser.add_argument("--yes", action="store_true", help="make what the steps need without asking")
    parser.add_argument("--minutes", type=int, default=20, help="how long to wait for an answer at most (20)")
    parser.add_argument("--redact", action="store_true", help="leave account ids and unique ids out of the report")
    parser.add_argument("--output", default="first-hour", help="write OUTPUT.md and OUTPUT.json (first-hour)")
    parser.add_argument("--clean-up", metavar="RUN", help="only delete what an earlier run, which was killed, left")
    options = parser.parse_args(given)
    if not account(options.account) or (options.member_account and not account(options.member_account)):
        parser.error("an account id has 12 digits")
    if bool(options.member_account) != bool(options.member_profile):
        parser.error("--member-account and --member-profile go together")
    if options.member_account == options.account:
        parser.error("the member must be another account")
    if options.organization and not options.member_account:
        parser.error("--organization needs --member-account")
    if options.clean_up and not re.fullmatch("[0-9a-f]{10}", options.clean_up):
        parser.error("a run's id has 10 characters from 0 to 9 and a to f")
    if not 1 <= options.minutes <= 120:
        parser.error("--minutes takes 1 to 120")
    return options


def utc_now():
    return datetime.now(timezone.utc)


class Run:
    """What the questions work with. `sessions` has boto3's session of each account."""

    def __init__(self, run_id, sessions, ids, minutes, sleep, now):
        self.id, self.ids, self.minutes, self.sleep, self.now = run_id, ids, minutes, sleep, now
        self.secrets, self.state, self.sessions, self.clients = set(), {}, sessions, {}
        self.with_organization_pack = False
        self.made = Made(self.client, run_id, sleep)
        for session in sessions.values():
            session.events.register("after-call", self.remember_secrets)
            own = session.get_credentials()
            self.secrets.update(filter(None, (own.secret_key, own.token)))
        self.region = sessions["own"].region_name
        self.partition = sessions["own"].get_partition_for_region(self.region)

    def remember_secrets(self, parsed, **more):
        self.secrets.update(secret for secret in secrets_in(parsed) if secret)

    def client(self, service, account="own", **where):
        key = service, account, tuple(sorted(where.items()))
        if key not in self.clients:
            # Each answer must tell whether the call was made.
            retries = dict(mode="standard", max_attempts=4)
            config = Config(retries=retries, connect_timeout=10, read_timeout=30)
            self.clients[key] = self.sessions[account].client(service, config=config, **where)
        return self.clients[key]

    def name(self, suffix):
        return self.made.name(suffix)

    def arn(self, service, resource, account="own", region=None):
        region = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{region}:{self.ids[account]}:{resource}"

    def wait(self, look, minutes=None, pause=15):
        """What a look gives, once it gives something. None: it gave nothing in time."""
        for _ in range(max(1, (minutes or self.minutes) * 60 // pause)):
            found = look()
            if found:
                return found
            self.sleep(pause)
        return None


class Stop:
    """Ctrl-C and SIGTERM end the questions once. Then nothing ends the clean-up."""

    def __init__(self, say):
        self.say, self.is_over = say, False

    def __call__(self, *signal):
        if self.is_over:
            self.say("It deletes what it made. Wait.")
            return
        self.is_over = True
        raise KeyboardInterrupt


def things_of(step):
    return "\n".join(
        f"  - {KINDS[thing.kind].words}" + (" in the member" if thing.account == "member" else "")
        for thing in step.makes
    )


def ask_all(run, steps, agree, say, seen):
    for step in steps:
        say(f"== {step.title}")
        verdict, why = SKIPPED, None
        try:
            why = step.can(run)
        except Exception as error:
            verdict, why = NOT_ASKED, told(error) or type(error).__name__
        if not why and step.makes:
            note = f"\n{step.note}" if step.note else ""
            if not agree(f"This step makes, and later deletes:\n{things_of(step)}{note}\nGo on? [y/N] "):
                why = "nobody agreed to what it makes"
        if not why:
            try:
                step.begin(run)
            except Skipped as reason:
                why = str(reason)
            except Exception as error:
                verdict, why = NOT_ASKED, told(error) or type(error).__name__
        for question in step.questions:
            seen[question.name] = Seen(verdict, why) if why else answer_of(question, run)
            say(f"{seen[question.name].verdict}: {question.question} {seen[question.name].words}")


def go(run, steps, agree, say):
    """What was seen, what is left, and whether somebody ended it."""
    questions = [question for step in steps for question in step.questions]
    seen = {question.name: Seen(SKIPPED, "the run ended before it") for question in questions}
    stop, ended = Stop(say), False
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        try:
            ask_all(run, steps, agree, say, seen)
            stop.is_over = True
        except KeyboardInterrupt:
            ended = True
        finally:
            stop.is_over = True
            say("== Deleting what was made")
            left = run.made.clean()
        return seen, left, ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def confirmed(sessions, ids):
    """Why the accounts are not those that were named. None: they are."""
    for account, session in sessions.items():
        if not session.region_name:
            return "no Region: pass --region"
        try:
            found = session.client("sts").get_caller_identity()["Account"]
        except FAILURES as error:
            return f"AWS does not confirm the {account} account: {told(error)}"
        if found != ids[account]:
            return f"the credentials are of another account than {ids[account]}. Nothing was done"
    return None


def agreement(options):
    def agree(question):
        if options.yes:
            return True
        if not sys.stdin.isatty():
            return False
        return input(question).strip().lower() in ("y", "yes")

    return agree


def main(given, sleep=time.sleep, now=utc_now):
    options = arguments(given)
    say = lambda text: print(visible(text), file=sys.stderr, flush=True)
    ids = dict(own=options.account)
    sessions = dict(own=boto3.Session(profile_name=options.profile, region_name=options.region))
    if options.member_account:
        ids["member"] = options.member_account
        region = sessions["own"].region_name
        sessions["member"] = boto3.Session(profile_name=options.member_profile, region_name=region)
    why = confirmed(sessions, ids)
    if why:
        say(f"first-hour: {why}")
        return 2
    run = Run(options.clean_up or secrets.token_hex(5), sessions, ids, options.minutes, sleep, now)
    run.with_organization_pack = options.organization
    if options.clean_up:
        steps = [step for step in STEPS if step is not organization.STEP or options.organization]
        run.made.things = [thing for step in steps for thing in step.makes if thing.account in ids]
        left = run.made.clean()
        for thing, reason in left:
            say(f"left behind: {thing}: {reason}")
        return 1 if left else 0
    clean = cleaner(run.secrets, False)
    tell, say = say, lambda text: tell(clean(text))
    again = shlex.join(["first-hour", *given, "--clean-up", run.id])
    say(f"Run {run.id}. If it is killed: {again}")
    seen, left, ended = go(run, STEPS, agreement(options), say)
    found = written(run, options, seen, left)
    say(f"{counts(found)}. The report: {options.output}.md, {options.output}.json")
    for thing, reason in left:
        say(f"left behind: {thing}: {reason}. To repeat the deletion: {again}")
    return 1 if left else 130 if ended else 0


def written(run, options, seen, left):
    """Writes the report, and gives it."""
    header = {
        "run": run.id,
        "time": run.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "account": options.account,
        "member": options.member_account or "none",
        "Region": run.region,
        "boto3": boto3.__version__,
        "endpoint": run.client("sts").meta.endpoint_url,
    }
    found = report(header, STEPS, seen, left, cleaner(run.secrets, options.redact))
    for ending, text in ((".md", as_markdown(found)), (".json", as_json(found))):
        Path(options.output + ending).write_text(text)
    return found
