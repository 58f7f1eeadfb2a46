"""Parameter Store, CloudTrail and EventBridge in memory, beside the IAM of fake_iam.py."""

import json
import types
from datetime import timedelta

PATH = "/access-key-rotation/keys/"
TIME = "%Y-%m-%dT%H:%M:%SZ"


class ParameterAlreadyExists(Exception):
    pass


class ParameterNotFound(Exception):
    pass


class ParameterStore:
    """Systems Manager's client for parameters. Each is a list of versions: (value, time of the change)."""

    exceptions = types.SimpleNamespace(
        ParameterAlreadyExists=ParameterAlreadyExists, ParameterNotFound=ParameterNotFound
    )

    def __init__(self, iam):
        self.iam, self.held = iam, {}

    def record(self, key_id, state, since, execution, user_id, at, **more):
        fields = dict(state=state, since=since.strftime(TIME), execution=execution, userId=user_id, **more)
        self.write(key_id, json.dumps(fields), at)

    def write(self, key_id, value, at):
        """What somebody writes at a time."""
        self.held.setdefault(PATH + key_id, []).append((value, at))

    def remove(self, key_id):
        self.held.pop(PATH + key_id, None)

    def value(self, key_id):
        """What a key's record says, as a dict, or the text if it is none. None: there is no record."""
        if PATH + key_id not in self.held:
            return None
        text = self.held[PATH + key_id][-1][0]
        try:
            return json.loads(text)
        except ValueError:
            return text

    def state(self, key_id):
        value = self.value(key_id)
        return value["state"] if isinstance(value, dict) else value

    # The calls.

    def get_parameter(self, Name):
        self.iam._call("GetParameter", Name=Name)
        # With a number behind a colon: that version.
        name, _, number = Name.partition(":")
        if name not in self.held:
            raise ParameterNotFound("ParameterNotFound")
        versions = self.held[name]
        number = int(number or len(versions))
        value, at = versions[number - 1]
        return {"Parameter": dict(Name=name, Value=value, Version=number, LastModifiedDate=at)}

    def put_parameter(self, Name, Value, Type, Overwrite):
        assert Type == "String" and len(Value) <= 4096
        self.iam._call("PutParameter", Name=Name)
        if not Overwrite and Name in self.held:
            raise ParameterAlreadyExists("ParameterAlreadyExists: The parameter already exists.")
        self.held.setdefault(Name, []).append((Value, self.iam.now))
        return {"Version": len(self.held[Name])}

    def delete_parameter(self, Name):
        self.iam._call("DeleteParameter", Name=Name)
        if Name not in self.held:
            raise ParameterNotFound("ParameterNotFound")
        del self.held[Name]

    def get_paginator(self, operation):
        pages = {"get_parameters_by_path": self._by_path, "get_parameter_history": self._history}[operation]
        return types.SimpleNamespace(paginate=pages)

    def _by_path(self, Path):
        names = sorted(name for name in self.held if name.startswith(Path))
        for start in range(0, max(len(names), 1), 10):
            self.iam._call("GetParametersByPath")
            page = [name for name in names[start : start + 10] if name in self.held]
            yield {
                "Parameters": [
                    dict(Name=name, Value=self.held[name][-1][0], Version=len(self.held[name])) for name in page
                ]
            }

    def _history(self, Name):
        self.iam._call("GetParameterHistory", Name=Name)
        if Name not in self.held:
            raise ParameterNotFound("ParameterNotFound")
        versions = enumerate(self.held[Name], 1)
        yield {
            "Parameters": [
                dict(Name=Name, Value=value, Version=number, LastModifiedDate=at) for number, (value, at) in versions
            ]
        }


class CloudTrail:
    """CloudTrail's client. `delay` is how long an event takes to show; `refuses`: the call fails."""

    def __init__(self, iam):
        self.iam, self.events, self.delay, self.refuses = iam, [], timedelta(minutes=15), None

    def add(self, user, key_id, status, by, at, error=None):
        """A call of UpdateAccessKey by a role of this name, or by the user `owner`. Without a status, of
        CreateAccessKey."""
        role = {"arn": f"arn:aws:iam::111122223333:role/{by}", "userName": by}
        assumed = {"type": "AssumedRole", "arn": f"arn:aws:sts::111122223333:assumed-role/{by}/run"}
        event = {
            "eventTime": at.strftime(TIME),
            "eventName": "UpdateAccessKey" if status else "CreateAccessKey",
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{by}"}
            if by == "owner"
            else assumed | {"sessionContext": {"sessionIssuer": role}},
            "requestParameters": {"userName": user, "accessKeyId": key_id, "status": status} if status else None,
            "responseElements": None if status else {"accessKey": {"userName": user, "accessKeyId": key_id}},
        }
        self.events.append((at, event | ({"errorCode": error} if error else {})))

    def get_paginator(self, operation):
        assert operation == "lookup_events"
        return types.SimpleNamespace(paginate=self._lookup)

    def _lookup(self, LookupAttributes, StartTime, EndTime):
        [attribute] = LookupAttributes
        assert attribute["AttributeKey"] == "EventName"
        first = max(StartTime, self.iam.now - timedelta(days=90))
        last = min(EndTime, self.iam.now - self.delay)
        found = [
            event
            for at, event in sorted(self.events, key=lambda event: event[0], reverse=True)
            if first <= at <= last and event["eventName"] == attribute["AttributeValue"]
        ]
        for start in range(0, max(len(found), 1), 50):
            self.iam._call("LookupEvents")
            if self.refuses:
                raise self.refuses
            yield {"Events": [{"CloudTrailEvent": json.dumps(event)} for event in found[start : start + 50]]}


class Events:
    """EventBridge's client. `refuse` gives the error code for an entry, or None."""

    def __init__(self, iam):
        self.iam, self.refuse, self.taken = iam, lambda entry: None, []

    def put_events(self, Entries):
        assert 1 <= len(Entries) <= 10
        self.iam._call("PutEvents", Entries=Entries)
        codes = [self.refuse(entry) for entry in Entries]
        self.taken += [entry for entry, code in zip(Entries, codes) if code is None]
        answers = [{"ErrorCode": code, "ErrorMessage": code} if code else {"EventId": "1"} for code in codes]
        return {"FailedEntryCount": len(codes) - codes.count(None), "Entries": answers}

    def told(self):
        """(key's id, kind) of each notice, in the order of the runs."""
        return [
            (json.loads(entry["Detail"])["accessKeyId"], entry["DetailType"].split()[-1].lower())
            for entry in self.taken
        ]
