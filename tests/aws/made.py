"""What a run made, so that it can be deleted, also after an interruption."""

from contextlib import contextmanager

from questions import FAILURES, NotAsked, told
from things import KINDS, TAG, is_gone

# AWS deletes some things slowly, and one after the other.
ROUNDS, PAUSE_SECONDS = 60, 10
# What was just made may not be seen at once: so often must a thing be seen to be gone.
LOOKS = 2
THERE, GONE, OTHERS = "there", "gone", "of somebody else"


class Made:
    """`client` gives a client for a service and an account ("own" or "member")."""

    def __init__(self, client, run_id, sleep):
        self.client, self.run_id, self.sleep = client, run_id, sleep
        self.things = []

    def name(self, suffix):
        return f"first-hour-{self.run_id}-{suffix}"

    def look(self, thing):
        """Raises if nobody can tell."""
        kind = KINDS[thing.kind]
        aws = self.aws(thing)
        try:
            tags = kind.tags(aws, self.name(thing.suffix))
        except FAILURES as error:
            if is_gone(error):
                return GONE
            raise
        if kind.has_tags and tags is None:
            return GONE
        return THERE if not kind.has_tags or tags.get(TAG) == self.run_id else OTHERS

    def aws(self, thing):
        return lambda service: self.client(service, thing.account)

    @contextmanager
    def making(self, thing):
        """Notes a thing before the call that makes it, whose answer may get lost. Gives its name."""
        name = self.name(thing.suffix)
        if self.look(thing) != GONE:
            raise NotAsked(f"{name} is there already, and this run did not make it")
        self.things.append(thing)
        yield name

    def remove(self, thing):
        """What is left of a thing: "" if it is gone, or why it is there."""
        try:
            if self.look(thing) != THERE:
                return ""
            KINDS[thing.kind].delete(self.aws(thing), self.name(thing.suffix))
            return "" if self.look(thing) == GONE else "it is still there"
        except FAILURES as error:
            return "" if is_gone(error) else told(error)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def clean(self):
        """Deletes what the run made, the last first. Gives what is left, with why."""
        gone, why = {}, {}
        for number in range(ROUNDS):
            if number:
                self.sleep(PAUSE_SECONDS)
            for thing in reversed(self.things):
                why[thing] = self.remove(thing)
                gone[thing] = 0 if why[thing] else gone.get(thing, 0) + 1
            self.things = [thing for thing in self.things if gone[thing] < LOOKS]
            if not self.things:
                break
        return [
            (f"{thing.kind} {self.name(thing.suffix)} in the {thing.account} account", why[thing] or "it was there")
            for thing in self.things
        ]
