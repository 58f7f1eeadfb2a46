"""What .github/build packs: the archives of a release, from programs that stand in for the built ones."""

import json
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile

import pytest

REPOSITORY = pathlib.Path(__file__).parents[2]
CRATES = {
    "bootstrap": ["tokio"],
    "access-key-rotation": ["tokio", "clap", "maud"],
    "access-key-rotation-demo": ["tokio", "clap", "axum"],
}
# The list of crates is the program's text here.
AUDITABLE2CDX = """#!{python}
import json, pathlib, sys
print(json.dumps(dict(components=[dict(name=name) for name in pathlib.Path(sys.argv[1]).read_text().split()])))
"""


def archive(folder, kind, target, crates=CRATES):
    """Packs what is built for the target. Gives the folder of the release's files."""
    built, dist, tools = folder / "target" / target / "release", folder / "target" / "dist", folder / "tools"
    for path in (built, dist, tools):
        path.mkdir(parents=True)
    suffix = ".exe" if "windows" in target else ""
    for name, its in crates.items():
        if name != "bootstrap" or kind != "native":
            (built / f"{name}{suffix}").write_text(" ".join(its))
    (folder / "LICENSE").write_text("Apache")
    for name in ("THIRD-PARTY", "THIRD-PARTY-DEMO"):
        (dist / name).write_text(name)
    (tools / "auditable2cdx").write_text(AUDITABLE2CDX.format(python=sys.executable))
    (tools / "auditable2cdx").chmod(0o755)
    environment = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}")
    command = [sys.executable, REPOSITORY / ".github/archive.py", kind, target]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return dist


def test_linux_gets_the_function_and_both_programs(tmp_path):
    target = "x86_64-unknown-linux-gnu"
    dist = archive(tmp_path, "x86_64", target)
    assert {path.name for path in dist.iterdir()} == {
        "function-x86_64.zip",
        "function-x86_64.cdx.json",
        f"access-key-rotation-{target}.tar.xz",
        f"access-key-rotation-{target}.cdx.json",
        f"access-key-rotation-demo-{target}.cdx.json",
    }
    with tarfile.open(dist / f"access-key-rotation-{target}.tar.xz") as packed:
        modes = {entry.name: entry.mode for entry in packed}
        assert packed.extractfile("access-key-rotation-demo").read() == b"tokio clap axum"
    program, text = 0o755, 0o644
    assert modes == {
        "access-key-rotation": program,
        "access-key-rotation-demo": program,
        "LICENSE": text,
        "THIRD-PARTY": text,
        "THIRD-PARTY-DEMO": text,
    }
    with zipfile.ZipFile(dist / "function-x86_64.zip") as packed:
        assert packed.namelist() == ["bootstrap", "LICENSE", "THIRD-PARTY"]
    sbom = json.loads((dist / f"access-key-rotation-demo-{target}.cdx.json").read_text())
    assert {crate["name"] for crate in sbom["components"]} == {"tokio", "clap", "axum"}


def test_windows_gets_both_programs_in_a_zip(tmp_path):
    target = "x86_64-pc-windows-msvc"
    dist = archive(tmp_path, "native", target)
    with zipfile.ZipFile(dist / f"access-key-rotation-{target}.zip") as packed:
        assert packed.namelist() == [
            "access-key-rotation.exe",
            "access-key-rotation-demo.exe",
            "LICENSE",
            "THIRD-PARTY",
            "THIRD-PARTY-DEMO",
        ]
    assert len(list(dist.iterdir())) == 3


def test_a_list_of_crates_that_is_another_programs_is_an_error(tmp_path):
    crates = CRATES | {"access-key-rotation-demo": CRATES["access-key-rotation"]}
    with pytest.raises(subprocess.CalledProcessError) as error:
        archive(tmp_path, "native", "aarch64-apple-darwin", crates)
    assert b"The list of crates in" in error.value.stderr


def test_what_is_packed_is_built():
    build = (REPOSITORY / ".github/build").read_text()
    for system in ("build", "zigbuild"):
        for package, program in (("cli", "access-key-rotation"), ("demo", "access-key-rotation-demo")):
            lines = [line.split() for line in build.splitlines()]
            built = [line for line in lines if line[:3] == ["build", system, f"access-key-rotation-{package}"]]
            assert [line[-1] for line in built] == [program]
