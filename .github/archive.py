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
suffix = ".exe" if "windows" in target else ""
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
    # Which of these it has tells the programs apart.
    own = {"bootstrap": set(), "access-key-rotation": {"clap", "maud"}, "access-key-rotation-demo": {"clap", "axum"}}
    if names & {"clap", "maud", "axum"} != own[program.stem]:
        sys.exit(f"The list of crates in {program} is not its own.")
    path.write_text(json.dumps(sbom, indent=2, sort_keys=True) + "\n")


def take(name):
    """What cargo about wrote; it goes into archives only."""
    data = (dist / name).read_bytes()
    (dist / name).unlink()
    return name, data, 0o644


licences = [("LICENSE", pathlib.Path("LICENSE").read_bytes(), 0o644), take("THIRD-PARTY")]
if kind != "native":
    put_zip(dist / f"function-{kind}.zip", [("bootstrap", (built / "bootstrap").read_bytes(), 0o755), *licences])
    put_sbom(dist / f"function-{kind}.cdx.json", built / "bootstrap")
files = [*licences, take("THIRD-PARTY-DEMO")]
for name in ("access-key-rotation-demo", "access-key-rotation"):
    program = built / f"{name}{suffix}"
    files.insert(0, (program.name, program.read_bytes(), 0o755))
    put_sbom(dist / f"{name}-{target}.cdx.json", program)
archive = f"access-key-rotation-{target}"
if suffix:
    put_zip(dist / f"{archive}.zip", files)
else:
    put_tar(dist / f"{archive}.tar.xz", files)
