"""Build the zip files of the functions: `make package`, or `python scripts/package_lambda.py`.

    python scripts/package_lambda.py [--out build/lambda] [--table table.json]
        [--part proxy] [--arch x86_64|arm64] [--python 3.13] [--from-environment]

Each part holds only what it runs: the proxy has neither the control plane nor a framework in it.
Dependencies are the locked ones, as wheels for Lambda's Linux; `--from-environment` takes those of
this environment and its Python instead. Byte code is compiled in, as a function's own folder cannot
be written to, if an interpreter of that version is found on the path (`byte_code` says whether).
`--table` bundles a last good table (what GET /api/v1/table answers). Prints one JSON object, and
exits with 1 if the proxy's zip is over 25 MB.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 25 * 1024 * 1024
LOCK = ROOT / "requirements" / "runtime.lock"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_RUNTIME = ("httptools", "orjson", "xxhash")
_COMPARING = ("brotli", "google-re2", "zstandard")
_SKIPPED = ("__pycache__", "tests", "test")
_WHEELS = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's names of architectures, and those of wheels."""

PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "proxy": (("figway", "proxy"), _RUNTIME),
    "worker": (("figway", "proxy"), _RUNTIME + _COMPARING),
    "control": (("figway", "control_plane", "migrations"), ()),
}
"""By part: our packages, and the distributions beside them; none named means the extras of the
control plane, whole."""
CONTROL_ROOTS = (
    "aiosqlite",
    "alembic",
    "asyncpg",
    "fastapi",
    "google-re2",
    "greenlet",
    "httpx",
    "jinja2",
    "mangum",
    "orjson",
    "pydantic-settings",
    "python-multipart",
    "pyyaml",
    "sqlalchemy",
    "uvicorn",
    "xxhash",
)


def needed(roots: tuple[str, ...]) -> list[str]:
    """Distributions that `roots` need at run time, themselves included."""
    found: dict[str, None] = {}
    waiting = list(roots)
    while waiting:
        name = _plain(waiting.pop())
        if name in found:
            continue
        found[name] = None
        for line in distribution(name).requires or []:
            requirement, _, marker = line.partition(";")
            if "extra ==" in marker or "sys_platform == 'win32'" in marker:
                continue
            if "python_version" in marker or "python_full_version" in marker:
                continue
            waiting.append(re.split(r"[\s\[<>=!~(]", requirement.strip())[0])
    return sorted(found)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def from_environment(names: list[str], target: Path) -> None:
    """Copy installed distributions."""
    for name in names:
        for file in distribution(name).files or []:
            if ".." in file.parts or "__pycache__" in file.parts:
                continue
            source = Path(str(file.locate()))
            if source.is_file():
                place = target / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, place)


def from_lock(names: list[str], target: Path, arch: str, python: str) -> None:
    """Install the locked wheels for Lambda's platform."""
    wanted = set(names)
    kept: list[str] = []
    keep = False
    for line in LOCK.read_text("utf-8").splitlines():
        if line and line[0] not in " #":
            keep = _plain(re.split(r"[=\[; ]", line)[0]) in wanted
        if keep and not line.lstrip().startswith("#"):
            kept.append(line)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(kept) + "\n")
        file.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--only-binary=:all:", "--no-compile"]
        for tag in (
            *(f"manylinux_2_{minor}" for minor in range(17, glibc(python) + 1)),
            "manylinux2014",
        ):
            command += ["--platform", f"{tag}_{_WHEELS[arch]}"]
        command += [
            "--implementation",
            "cp",
            "--python-version",
            python,
            "--target",
            str(target),
            "-r",
            file.name,
        ]
        subprocess.run(command, check=True)  # noqa: S603  of this file's own making


def glibc(python: str) -> int:
    """Minor version of the C library beneath a runtime: Amazon Linux 2023, and 2 before that."""
    return 34 if int(python.partition(".")[2]) >= 12 else 26


def copy_packages(names: tuple[str, ...], target: Path) -> None:
    """Copy our own packages."""
    for name in names:
        shutil.copytree(
            ROOT / name,
            target / name,
            ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "*.so"),  # built for this machine
        )


def name_release(target: Path) -> None:
    """Say which release this is, as an installed one would."""
    release = distribution("figway").version
    folder = target / f"figway-{release}.dist-info"
    folder.mkdir()
    lines = ("Metadata-Version: 2.1", "Name: figway", f"Version: {release}", "")
    (folder / "METADATA").write_text("\n".join(lines), "utf-8")


def interpreter(python: str) -> str:
    """An interpreter of that version; empty if there is none."""
    for found in (sys.executable, shutil.which(f"python{python}")):
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        if found and _said([found, "-c", code]) == python:
            return found
    return ""


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()


def build(
    part: str, out: Path, *, arch: str, python: str, environment: bool, table: Path | None
) -> Path:
    """Build one part; its zip file."""
    ours, names = PARTS[part]
    distributions = needed(names or CONTROL_ROOTS)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        if environment:
            from_environment(distributions, target)
        else:
            from_lock(distributions, target, arch, python)
        copy_packages(ours, target)
        name_release(target)
        _prune(target)
        if table is not None and part != "control":
            shutil.copyfile(table, target / "table.json")
        if part == "proxy":
            shutil.copyfile(ROOT / "deploy/lambda/figway-streaming", target / "figway-streaming")
            (target / "figway-streaming").chmod(0o755)
        if found := interpreter(python):
            command = [found, "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash"]
            # The paths in it are those that tracebacks show.
            command += ["-s", str(target), "-p", "/var/task", str(target)]
            subprocess.run(command, check=True)  # noqa: S603  of this script's own making
        file = out / f"{part}.zip"
        write_zip(target, file)
    return file


def _prune(target: Path) -> None:
    """Leave out what no function imports: tests of others, scripts, typing stubs."""
    for path in sorted(target.rglob("*"), reverse=True):
        inside = path.relative_to(target).parts
        if path.is_dir() and (path.name in _SKIPPED or inside == ("bin",)):
            shutil.rmtree(path)
        elif path.suffix in (".pyi", ".pyx", ".pxd", ".c", ".h"):
            path.unlink()


def write_zip(source: Path, file: Path) -> None:
    """A zip whose bytes depend on the content alone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                info = zipfile.ZipInfo(path.relative_to(source).as_posix(), _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (path.stat().st_mode & 0o777 | 0o644) << 16
                archive.writestr(info, path.read_bytes())


def main() -> int:
    """Build what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "lambda")
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--arch", choices=_WHEELS, default="x86_64")
    parser.add_argument("--python", default="3.13", help="of the functions' runtime")
    parser.add_argument("--from-environment", action="store_true")
    options = parser.parse_args()
    if options.from_environment:
        options.python = "{}.{}".format(*sys.version_info)
    shown: dict[str, object] = {
        "runtime": f"python{options.python}",
        "architecture": options.arch,
        "byte_code": bool(interpreter(options.python)),
    }
    good = True
    for part in options.part or PARTS:
        file = build(
            part,
            options.out,
            arch=options.arch,
            python=options.python,
            environment=options.from_environment,
            table=options.table,
        )
        size = file.stat().st_size
        shown[part] = {"file": str(file), "bytes": size, "mb": round(size / 1024 / 1024, 2)}
        good = good and (part != "proxy" or size < LIMIT)
    sys.stdout.write(json.dumps(shown, indent=1) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
