"""Rotates access keys into secrets, and deletes the old ones, as the runbooks do each day with the defaults of the
template. AWS and the account are those of the environment.

MODULES, which the demo puts before this program, has the name and the text of each module of the runbooks' scripts. The
argument is a number of seconds: so far ahead is the runbooks' clock.
"""

import sys
import time
import types
import uuid
from datetime import timedelta

DAYS = dict(MaxAccessKeyAge=90, MaxExemptionDays=365, RotateAfterDays=75, SettleDays=7, GraceDays=30)


def load(name, text):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, f"{name}.py", "exec"), module.__dict__)


def main():
    for name, text in MODULES:  # noqa: F821
        load(name, text)
    common, rotate, delete = (sys.modules[name] for name in ("common", "rotate", "delete"))
    system, ahead = common.datetime, timedelta(seconds=int(sys.argv[1]))
    common.datetime = type("Clock", (system,), {"now": classmethod(lambda cls, zone: system.now(zone) + ahead)})
    # The pauses are for AWS's limits.
    time.sleep = lambda seconds: None
    for runbook, users in ((rotate.rotate, "ALL"), (delete.delete, "ROTATED")):
        event = dict(DAYS, ResourceId=users, DryRun="false", StartAfter="", ExecutionId=str(uuid.uuid4()))
        for result in runbook(event, {})["Results"]:
            print("  {UserName} {AccessKeyId}: {Outcome}: {Reason}".format(**result))


main()
