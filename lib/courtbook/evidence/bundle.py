"""The folder of a run: files and attempts that are never overwritten."""

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.ledger import Ledger


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


def json_text(content: object) -> str:
    """Return JSON for people and programs: sorted and indented, the same for the same content."""
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, content: object) -> None:
    """Write JSON for people and programs, once."""
    write_once(path, json_text(content))


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


def run_lock(run: Path) -> Path:
    """Return the lock file of a run: beside it, so that nothing in the run's folder ever changes."""
    return run.parent / ".locks" / f"{run.name}.lock"


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


def earlier_coverage(run: Path, name: str) -> tuple[str, Mapping[str, Any]] | None:
    """Return name and recorded coverage of the last run of these parameters before this one, None if there is none.

    A run whose ledger does not hold is passed over, and said to be.
    """
    runs = sorted(run.parent.glob("2*Z-*"), reverse=True)
    for other in (item for item in runs if item.name.partition("-")[2] == name and item != run):
        try:
            found = Ledger(other / "ledger.jsonl").last("coverage")
        except CourtbookError as error:
            print(f"not used as baseline: {error}")  # noqa: T201 - a notebook's log
            continue
        if found is not None:
            return other.name, found["tables"]
    return None


def recorded_values(run: Path) -> dict[str, float]:
    """Return the values of all checks that a run recorded, by check id; the newest attempt counts.

    Raises
    ------
    CourtbookError
        If the run recorded none: a baseline that is not there must not pass for one.
    """
    try:
        results = [json.loads(file.read_text(encoding="utf-8")) for file in run.glob("*/attempt-*/result.json")]
        found: dict[str, float | None] = {}
        for result in sorted(results, key=lambda item: (str(item["time"]), int(item["attempt"].partition("-")[2]))):
            found |= {item["id"]: item["value"] for gate in result["gates"] for item in gate["results"]}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"The results of this run cannot be read: {error}.",
            where=f"baseline: {run}",
            next_action="Name another run; this one is damaged.",
        ) from error
    values = {name: value for name, value in found.items() if value is not None}
    if not values:
        raise CourtbookError(
            Reason.BAD_FILE,
            "This run recorded no check.",
            where=f"baseline: {run}",
            next_action="Name the folder of an earlier run, or leave baseline empty for the 90 days before the range.",
        )
    return values
