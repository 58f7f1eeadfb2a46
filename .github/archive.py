"""Packs what .github/build built: archives that depend on their contents only, and an SBOM of each program beside them."""

import io
import json
import pathlib
import subprocess
import sys
import tarfile
import zipfile

kind, target = sys.argv[1:]
built, dist = pathlib.Path("target", target, "release"), pathlib.Path("target/dist")
command_line = "access-key-rotation.exe" if "windows" in target else "access-key-rotation"
# The same time and owner for every file, whenever and by whomever it was built.
TIME = (1980, 1, 1, 0, 0, 0)


def put_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data, mode in files:
            entry = zipfile.ZipInfo(name, TIME)
            entry.create_system, entry.external_attr, entry.compress_type = 3, (0o100000 | mode) << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data, compresslevel=9)


def put_tar(path, files):
    with tarfile.open(path, "w:xz", format=tarfile.USTAR_FORMAT) as archive:
        for name, data, mode in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))


def put_sbom(path, program):
    """The crates in the program, as CycloneDX."""
    sbom = json.loads(subprocess.run(["auditable2cdx", program], check=True, stdout=subprocess.PIPE).stdout)
    names = {crate["name"] for crate in sbom["components"]}
    if ("clap" in names) != (program.name != "bootstrap"):
        sys.exit(f"The list of crates in {program} is not its own.")
    path.write_text(json.dumps(sbom, indent=2, sort_keys=True) + "\n")


licences = [(name, path.read_bytes(), 0o644) for name, path in (("LICENSE", pathlib.Path("LICENSE")), ("THIRD-PARTY", dist / "THIRD-PARTY"))]
(dist / "THIRD-PARTY").unlink()
if kind != "native":
    put_zip(dist / f"function-{kind}.zip", [("bootstrap", (built / "bootstrap").read_bytes(), 0o755), *licences])
    put_sbom(dist / f"function-{kind}.cdx.json", built / "bootstrap")
files = [(command_line, (built / command_line).read_bytes(), 0o755), *licences]
name = f"access-key-rotation-{target}"
if "windows" in target:
    put_zip(dist / f"{name}.zip", files)
else:
    put_tar(dist / f"{name}.tar.xz", files)
put_sbom(dist / f"{name}.cdx.json", built / command_line)
