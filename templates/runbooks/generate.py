"""Writes the runbooks' scripts into templates/member.yaml. Run it after each change of a script:

python3 templates/runbooks/generate.py
python3 templates/runbooks/generate.py --check    # writes nothing, and fails if the template has other scripts

A document's script is the files that the runbooks share and the runbook's own, which CloudFormation joins. The template
has each file once, as it is here, but without the imports from one another.
"""

import ast
import pathlib
import re
import sys
import textwrap

RUNBOOKS = pathlib.Path(__file__).parent
TEMPLATE = RUNBOOKS.parent / "member.yaml"
# Everything from here to the end of the template.
MARK = "# What follows is from runbooks/generate.py. Change the files beside that program, and run it.\n"
FILES = ("common", "records", "account", "proofs", "deactivate", "reactivate", "delete")


def part(name):
    """The file as it is in a document."""
    text = (RUNBOOKS / f"{name}.py").read_text()
    lines = text.splitlines(keepends=True)
    for statement in reversed(ast.parse(text).body):
        if isinstance(statement, ast.ImportFrom) and statement.module in FILES:
            del lines[statement.lineno - 1 : statement.end_lineno]
    text = re.sub("\n{4,}", "\n\n\n", "".join(lines))
    if found := re.search(r".*(\{\{|\}\}).*", text):
        sys.exit(f"{name}.py: Systems Manager Automation would replace what is between two braces: {found[0].strip()}")
    return text


def mappings():
    written = MARK + "Mappings:\n  Runbooks:\n"
    for name in FILES:
        written += f"    {name.capitalize()}:\n      Python: |\n" + textwrap.indent(part(name), " " * 8)
    return written


def generated(template):
    """The template with the scripts as the files have them now."""
    before, mark, _ = template.partition(MARK)
    if not mark:
        sys.exit(f"{TEMPLATE.name} has no line {MARK}")
    return before + mappings()


def main():
    template = TEMPLATE.read_text()
    if sys.argv[1:] == ["--check"]:
        if template != generated(template):
            sys.exit(
                "templates/member.yaml has other scripts than templates/runbooks: run templates/runbooks/generate.py"
            )
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        TEMPLATE.write_text(generated(template))


if __name__ == "__main__":
    main()
