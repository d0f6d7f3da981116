"""The folder of a run: attempts that are never overwritten, and a manifest over all files."""

import hashlib
import json
import os
import platform
import subprocess
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError, Reason

PACKAGES = ("courtbook", "duckdb", "sqlglot", "pandas", "papermill", "pandas-gbq", "matplotlib", "jupyterlab", "nbval")


def write_once(path: Path, text: str) -> None:
    """Write a file completely or not at all, and never over an existing one."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError as error:
        raise CourtbookError(
            Reason.BAD_FILE,
            "The file exists already; a run is never overwritten.",
            where=str(path),
            next_action="Start a new run.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: object) -> None:
    """Write JSON for people and programs: sorted, indented, once."""
    write_once(path, json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def new_run(runs: Path, name: str) -> Path:
    """Make the folder of a new run, named by UTC time and parameters."""
    runs.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = runs / f"{stamp}-{name}{suffix}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise CourtbookError(
        Reason.BAD_FILE, "No free name for a run.", where=str(runs), next_action="Wait a second and start again."
    )


def new_attempt(run: Path, step: str) -> Path:
    """Make the folder of the next attempt at a step; two that begin at once get one each."""
    parent = run / step
    parent.mkdir(parents=True, exist_ok=True)
    number = max((int(path.name.removeprefix("attempt-")) for path in parent.glob("attempt-*")), default=0)
    while True:
        number += 1
        folder = parent / f"attempt-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def environment(root: Path) -> dict[str, Any]:
    """Return what the run was made with: code, versions, machine."""
    status = _git(root, "status", "--porcelain")
    return {
        "git_commit": _git(root, "rev-parse", "HEAD"),
        "git_clean": None if status is None else status == "",
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def seal(run: Path, facts: Mapping[str, Any]) -> Path:
    """Write the manifest of a run: digest and size of every file, and the facts about it."""
    files = {
        path.relative_to(run).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size}
        for path in sorted(run.rglob("*"))
        if path.is_file()
    }
    manifest = run / "manifest.json"
    write_json(manifest, {"files": files, **facts})
    return manifest
