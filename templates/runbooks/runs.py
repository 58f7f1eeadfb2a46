"""A run that decides on each key of a user by itself: for the runbooks that deactivate, delete and reactivate."""

import json

from common import ASKED, KEPT, MANY_USERS, Report, go_through
from records import REACTIVATED


class Run(Report):
    """`decide` reads a user (account, name, id) and returns for each key (action, reason), of the `actions`."""

    def __init__(self, account, options, decide, actions):
        super().__init__(account, options)
        self.decide, self.actions = decide, actions

    def handle(self, user):
        """Decides on the keys of a user (name, id) and carries out the decisions. A failure affects no other user."""
        try:
            decisions = self.decide(self.account, *user)
        except Exception as error:
            self.add_failure(user, None, error)
            return
        for key_id, (action, reason) in decisions.items():
            try:
                self.add_result(user, key_id, self.carry_out(user, key_id, action), reason)
            except Exception as error:
                self.add_failure(user, key_id, error)
        changes = [self.account.to_tell[key_id][1] for key_id in decisions if key_id in self.account.to_tell]
        if "deactivated" in changes or "reactivated" in changes:
            self.mark_changed(user)

    def carry_out(self, user, key_id, action):
        """Carries out one decision, unless it is a dry run, and returns the outcome."""
        do, outcome = self.actions[action]
        if self.options["DryRun"]:
            return outcome if outcome in (KEPT, ASKED) else f"dry run: {outcome}"
        if action in ("delete", "forget"):
            # Nobody can undo this, so it decides once more: others may have changed the user since the first read.
            now = self.decide(self.account, *user).get(key_id, ("keep", "there is no record any more"))
            if now[0] != action:
                raise RuntimeError(f"it changed while this ran: {now[1]}")
        do(self.account, user, key_id)
        return outcome

    def go_on(self, last):
        if self.options["ResourceId"] not in MANY_USERS:
            return super().go_on(last)
        return next_command(self.options, last[0] or "" if last else self.options["StartAfter"])


def run(account, options, users, decide, actions):
    """Goes through the users, and returns the step's outputs."""
    return go_through(Run(account, options, decide, actions), users)


def next_command(options, user_name):
    """The command that continues the deletion after a user."""
    texts = dict(options, StartAfter=user_name, DryRun=str(options["DryRun"]).lower())
    parameters = json.dumps({name: [str(value)] for name, value in texts.items()})
    document = "AccessKeyRotation-DeleteDeactivatedKeys"
    return f"aws ssm start-automation-execution --document-name {document} --parameters '{parameters}'"


def leave(account, user, key_id):
    """Changes nothing."""


def forget(account, user, key_id):
    account.records.forget(key_id)


def leave_on(account, user, key_id):
    """Leaves a key active, and records that somebody switched it on again."""
    # After the record was read: another run may have deactivated the key between the listing and that.
    if account.status(user[0], key_id) != "Active":
        raise RuntimeError("somebody else changed it while this ran")
    account.records.advance(key_id, user[1], REACTIVATED)


# What every runbook may decide for a key: what carries it out, and its outcome. Each runbook adds its own.
ACTIONS_OF_ALL = {
    "forget": (forget, "record removed"),
    "leave on": (leave_on, KEPT),
    "ask": (leave, ASKED),
    "keep": (leave, KEPT),
}
