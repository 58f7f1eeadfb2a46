"""The manual's commands, and the real AWS CLI at moto to run them."""

import os
import pathlib
import re
import subprocess
import zipfile

import boto3

from deployed import REGION
from pages import MANUAL

ROOT = pathlib.Path(__file__).parents[2]
AWS = ROOT / "target/venv/bin/aws"


def section(title, page="README.md"):
    """A section of a page of the deployment's manual, with those below it."""
    [_, text] = MANUAL[f"templates/{page}"].split(f"\n## {title}\n")
    return text.split("\n## ")[0]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class Aws:
    """An organization with two accounts in a unit, and a shell for the manual.

    `commands` is the folder of the command `aws`, `home` that of its configuration."""

    def __init__(self, endpoint, home, commands):
        self.endpoint, self.home, self.commands = endpoint, home, commands
        profiles = ("default", "profile management", "profile security", "profile member")
        keys = "aws_access_key_id=test\naws_secret_access_key=test\n"
        (home / "config").write_text("".join(f"[{profile}]\n{keys}" for profile in profiles))
        organizations = self.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        root = organizations.list_roots()["Roots"][0]["Id"]
        self.unit = organizations.create_organizational_unit(ParentId=root, Name="workloads")["OrganizationalUnit"][
            "Id"
        ]
        self.members = []
        for name in ("one", "two"):
            status = organizations.create_account(Email=f"{name}@example.com", AccountName=name)["CreateAccountStatus"]
            self.members.append(status["AccountId"])
            organizations.move_account(
                AccountId=status["AccountId"], SourceParentId=root, DestinationParentId=self.unit
            )
        self.write_code("")

    def write_code(self, text):
        with zipfile.ZipFile(self.home / "bootstrap.zip", "w") as archive:
            archive.writestr("bootstrap", text)

    def releases(self):
        """The prefixes under which the manual uploads."""
        found = self.client("s3").list_objects_v2(
            Bucket="example-access-key-rotation", Prefix="access-key-rotation/", Delimiter="/"
        )
        return [prefix["Prefix"] for prefix in found["CommonPrefixes"]]

    def client(self, service, account=None):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        if account:
            role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
            session = self.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
            keys = {
                "aws_access_key_id": session["AccessKeyId"],
                "aws_secret_access_key": session["SecretAccessKey"],
                "aws_session_token": session["SessionToken"],
            }
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, **keys)

    def shell(self, script, **names):
        """Runs commands of the manual as they are, but for this organization's ids, names that are given and a zip that
        is there."""
        names = {"ROOT": self.unit, "SECURITY": self.members[0], "ZIP": self.home / "bootstrap.zip"} | names
        for name, value in names.items():
            script = re.sub(rf"^{name}=\S+", f"{name}={value}", script, flags=re.MULTILINE)
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=self.environment(), capture_output=True, text=True
        )
        assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
        return run.stdout

    def environment(self):
        return {
            "PATH": f"{self.commands}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "AWS_CONFIG_FILE": str(self.home / "config"),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
        }


ORGANIZATION = "Deploy it to an organization"


def shell_blocks(title, *words, page="README.md"):
    """The commands of a section, or those of its blocks that contain one of the words."""
    found = blocks(section(title, page), "sh")
    return "".join(block for block in found if not words or any(word in block for word in words))


NAMES, BUCKETS = shell_blocks("Before you begin"), shell_blocks(ORGANIZATION, "s3 mb")
UPLOAD = shell_blocks(ORGANIZATION, "RELEASE=", "MEMBERS=$(")
