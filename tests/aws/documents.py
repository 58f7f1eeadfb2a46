"""Questions about documents of Systems Manager, with a stack that has one."""

import json

from questions import NotAsked, Question, Step, Thing, as_said, differs, told
from things import TAG

STACK, DOCUMENT = Thing("stack", "document"), Thing("document", "document")
PAUSE_SECONDS = 10


def content(description):
    wait = dict(name="wait", action="aws:sleep", inputs=dict(Duration="PT1S"))
    return dict(schemaVersion="0.3", description=description, mainSteps=[wait])


def template(run, description):
    properties = dict(
        Name=run.name("document"),
        DocumentType="Automation",
        DocumentFormat="JSON",
        UpdateMethod="NewVersion",
        Content=content(description),
        Tags=[dict(Key=TAG, Value=run.id)],
    )
    return json.dumps(dict(Resources=dict(Document=dict(Type="AWS::SSM::Document", Properties=properties))))


def finished(run):
    """The stack's status, when it is final."""
    cloudformation = run.client("cloudformation")

    def status():
        [stack] = cloudformation.describe_stacks(StackName=run.name("document"))["Stacks"]
        return not stack["StackStatus"].endswith("_IN_PROGRESS") and stack["StackStatus"]

    found = run.wait(status, pause=PAUSE_SECONDS)
    if not found:
        raise NotAsked("the stack did not finish in time")
    return found


def begin(run):
    with run.made.making(DOCUMENT), run.made.making(STACK) as name:
        tags = [dict(Key=TAG, Value=run.id)]
        run.client("cloudformation").create_stack(StackName=name, TemplateBody=template(run, "first"), Tags=tags)
    status = finished(run)
    if status != "CREATE_COMPLETE":
        raise NotAsked(f"the stack is {status}")


def default_version(run):
    stack = dict(StackName=run.name("document"), TemplateBody=template(run, "second"))
    run.client("cloudformation").update_stack(**stack)
    status = finished(run)
    document = run.client("ssm").describe_document(Name=run.name("document"))["Document"]
    words = f"{status}: version {document['LatestVersion']} is the latest, {document['DefaultVersion']} the default"
    if status != "UPDATE_COMPLETE" or document["LatestVersion"] == "1":
        raise NotAsked(words)
    return (as_said if document["LatestVersion"] == document["DefaultVersion"] else differs)(words)


def old_content(run):
    """Back to the first version's content, which is not the latest's."""
    ssm, name = run.client("ssm"), run.name("document")
    if ssm.describe_document(Name=name)["Document"]["LatestVersion"] == "1":
        raise NotAsked("the document has one version only")
    try:
        ssm.update_document(Name=name, Content=json.dumps(content("first")), DocumentVersion="$LATEST")
    except ssm.exceptions.DuplicateDocumentContent as error:
        return as_said(told(error))
    return differs("UpdateDocument takes it, as a new version")


STEP = Step(
    title="A document of Systems Manager, in a stack",
    makes=(DOCUMENT, STACK),
    begin=begin,
    questions=(
        Question(
            "default-version",
            "Does CloudFormation make a document's new version the default?",
            "templates/OPERATING.md",
            "AWS documents that CloudFormation makes the new version the default.",
            default_version,
        ),
        Question(
            "old-content",
            "Does UpdateDocument refuse a content that the document had before its latest one?",
            "templates/README.md",
            "Systems Manager may refuse a runbook that it had before",
            old_content,
        ),
    ),
)
