"""No module of the rule imports one that imports it, directly or through others."""

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "rule/src"


def paths(text, before=""):
    """The paths of a `use`, with its braces resolved."""
    head, brace, rest = text.partition("{")
    if not brace:
        return [before + text]
    parts, depth, part = [], 0, ""
    for character in rest[: rest.rindex("}")]:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts, part = [*parts, part], ""
        else:
            part += character
    return [path for part in [*parts, part] if part for path in paths(part, before + head)]


def imports(root, files):
    modules = {"::".join(file.relative_to(root).with_suffix("").parts): file.read_text() for file in files}
    for name, text in modules.items():
        code, found = text.split("#[cfg(test)]")[0], set()
        for base, rest in re.findall(r"^\s*use (crate|super)::(.*?);", code, re.DOTALL | re.MULTILINE):
            parent = "" if base == "crate" else "".join(f"{part}::" for part in name.split("::")[:-1])
            for path in paths(re.sub(r"\s+", "", rest), parent):
                parts = path.split("::")
                known = ("::".join(parts[:end]) for end in range(len(parts), 0, -1))
                found.add(next((module for module in known if module in modules), name))
        yield name, found - {name}


@pytest.mark.parametrize("root", [SOURCES, SOURCES / "cli"])
def test_no_module_imports_back(root):
    files = [file for file in root.rglob("*.rs") if file.name != "tests.rs"]
    graph = dict(imports(root, [file for file in files if root.name == "cli" or SOURCES / "cli" not in file.parents]))
    assert sum(map(len, graph.values())) > 30, "it finds imports"
    done = set()

    def visit(name, above):
        assert name not in above, f"{' -> '.join(above)} -> {name}"
        for imported in graph[name] - done:
            visit(imported, (*above, name))
        done.add(name)

    for name in graph:
        visit(name, ())
