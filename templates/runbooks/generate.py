"""Writes the runbooks' scripts into templates/member.yaml, and the conformance pack into templates/pack.yaml. Run it
after each change of a script or of the pack:

python3 templates/runbooks/generate.py
python3 templates/runbooks/generate.py --check    # writes nothing, and fails if a template has something else

A document's script is the files that the runbooks share and the runbook's own, which CloudFormation joins. The template
has each file once, but without the imports from one another, comments, docstrings and most of the indentation: Systems
Manager takes documents of 64 KB at most. pack.yaml has the pack up to the role of automatic remediation, which it fills
in.
"""

import ast
import io
import pathlib
import re
import sys
import textwrap
import tokenize

RUNBOOKS = pathlib.Path(__file__).parent
TEMPLATE = RUNBOOKS.parent / "member.yaml"
PACK_TEMPLATE = RUNBOOKS.parent / "pack.yaml"
PACK = RUNBOOKS.parents[1] / "conformance-pack/access-key-rotation.yaml"
# Everything from here to the end of the template.
MARK = "# What follows is from runbooks/generate.py. Change the files beside that program, and run it.\n"
PACK_MARK = "# What follows is from runbooks/generate.py. Change the conformance pack, and run that program.\n"
FILES = (
    "common",
    "records",
    "userrecords",
    "account",
    "optin",
    "trail",
    "proofs",
    "secret",
    "runs",
    "deactivation",
    "deactivate",
    "remediate",
    "reactivate",
    "delete",
    "rotation",
    "rotate",
)


def part(name):
    """The file as it is in a document."""
    text = (RUNBOOKS / f"{name}.py").read_text()
    lines = text.splitlines(keepends=True)
    for first, last, instead in unneeded(text):
        lines[first - 1 : last] = [instead] + [""] * (last - first)
    text = re.sub("\n{3,}", "\n\n", "".join(lines)).lstrip()
    # One space for each level.
    text = re.sub("^(?: {4})+", lambda spaces: " " * (len(spaces[0]) // 4), text, flags=re.MULTILINE)
    if found := re.search(r".*(\{\{|\}\}).*", text):
        sys.exit(f"{name}.py: Systems Manager Automation would replace what is between two braces: {found[0].strip()}")
    return text


def unneeded(text):
    """(first line, last line, what stands there instead) of all that a document does without."""
    for statement in ast.walk(ast.parse(text)):
        if isinstance(statement, ast.ImportFrom) and statement.module in FILES:
            yield statement.lineno, statement.end_lineno, ""
        elif isinstance(statement, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(statement):
            docstring = statement.body[0]
            is_all = len(statement.body) == 1
            yield docstring.lineno, docstring.end_lineno, " " * docstring.col_offset + "pass\n" if is_all else ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and token.line.lstrip().startswith("#"):
            yield token.start[0], token.end[0], ""


def mappings():
    written = MARK + "Mappings:\n  Runbooks:\n"
    for name in FILES:
        written += f"    {name.capitalize()}:\n      Python: |\n" + textwrap.indent(part(name), " " * 8)
    return written


def pack():
    body, mark, _ = PACK.read_text().partition("        #automatic# ")
    if not mark:
        sys.exit(f"{PACK.name} has no line with #automatic#")
    return PACK_MARK + "Mappings:\n  ConformancePack:\n    Template:\n      Body: |\n" + textwrap.indent(body, " " * 8)


def generated(path, mark, text):
    """The template at the path, with this text from the mark on."""
    before, found, _ = path.read_text().partition(mark)
    if not found:
        sys.exit(f"{path.name} has no line {mark}")
    return before + text


def main():
    templates = {
        TEMPLATE: generated(TEMPLATE, MARK, mappings()),
        PACK_TEMPLATE: generated(PACK_TEMPLATE, PACK_MARK, pack()),
    }
    if sys.argv[1:] == ["--check"]:
        if other := [path.name for path, text in templates.items() if path.read_text() != text]:
            sys.exit(f"{other} have other contents than the files: run templates/runbooks/generate.py")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        for path, text in templates.items():
            path.write_text(text)


if __name__ == "__main__":
    main()
