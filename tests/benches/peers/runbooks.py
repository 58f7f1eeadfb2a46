"""Runs a runbook as AWS Systems Manager would. AWS and the account are those of the environment.

runbooks.py deactivate SECONDS USER-ID...
runbooks.py rotate SECONDS

The runbooks' clock is so many seconds ahead.
"""

import pathlib
import sys
import time
import uuid
from datetime import timedelta

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "templates" / "runbooks"))

import common  # noqa: E402
from deactivate import deactivate  # noqa: E402
from delete import delete  # noqa: E402
from rotate import rotate  # noqa: E402

DEFAULTS = dict(MaxAccessKeyAge=90, MaxExemptionDays=365, QuietDays=45, RotateAfterDays=75, SettleDays=7, GraceDays=30)
TEXTS = dict(DryRun="false", Again="false", StartAfter="", RotationPath="")


def main():
    what, seconds, *users = sys.argv[1:]
    system, ahead = common.datetime, timedelta(seconds=int(seconds))
    common.datetime = type("Clock", (system,), {"now": classmethod(lambda cls, zone: system.now(zone) + ahead)})
    # The pauses are for AWS's limits.
    time.sleep = lambda seconds: None
    runs = [(deactivate, user) for user in users] if what == "deactivate" else [(rotate, "ALL"), (delete, "ROTATED")]
    for runbook, user in runs:
        event = DEFAULTS | TEXTS | {"ResourceId": user, "ExecutionId": str(uuid.uuid4())}
        for result in runbook(event, {})["Results"]:
            print("{UserName} {AccessKeyId}: {Outcome}: {Reason}".format(**result), file=sys.stderr)


if __name__ == "__main__":
    main()
