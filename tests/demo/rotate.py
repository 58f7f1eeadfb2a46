"""Rotates access keys into secrets, and deletes the old ones, as the runbooks do each day with the defaults of the
template. AWS and the account are those of the environment.

rotate.py SECONDS

The runbooks' clock is so many seconds ahead.
"""

import pathlib
import sys
import time
import uuid
from datetime import timedelta

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "templates" / "runbooks"))

import common  # noqa: E402
from delete import delete  # noqa: E402
from rotate import rotate  # noqa: E402

DAYS = dict(MaxAccessKeyAge=90, MaxExemptionDays=365, RotateAfterDays=75, SettleDays=7, GraceDays=30)


def main():
    system, ahead = common.datetime, timedelta(seconds=int(sys.argv[1]))
    common.datetime = type("Clock", (system,), {"now": classmethod(lambda cls, zone: system.now(zone) + ahead)})
    # The pauses are for AWS's limits.
    time.sleep = lambda seconds: None
    for runbook, users in ((rotate, "ALL"), (delete, "ROTATED")):
        event = dict(DAYS, ResourceId=users, DryRun="false", StartAfter="", ExecutionId=str(uuid.uuid4()))
        for result in runbook(event, {})["Results"]:
            print("  {UserName} {AccessKeyId}: {Outcome}: {Reason}".format(**result))


if __name__ == "__main__":
    main()
