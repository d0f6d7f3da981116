"""What earlier runs against a warehouse leave to know: dates that failed, and how long dates took."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from courtbook.errors import CourtbookError
from courtbook.evidence.ledger import Event, Ledger

LATEST = 20  # runs that are looked at


@dataclass(frozen=True)
class History:
    """Dates by table whose last attempt failed, and the seconds that a date took, by table and executor.

    ``skipped`` says of each run that could not be read why.
    """

    failed: Mapping[str, frozenset[date]]
    seconds: Mapping[tuple[str, str], float]
    skipped: tuple[str, ...] = ()


def outcomes(events: list[Event]) -> dict[str, dict[date, bool]]:
    """Return for each table whether the last attempt at a date succeeded, from the data of ``dates`` events."""
    last: dict[str, dict[date, bool]] = {}
    for data in events:
        of = last.setdefault(data["table"], {})
        for key, succeeded in (("done", True), ("failed", False)):
            of |= {date.fromisoformat(day): succeeded for day in data[key]}
    return last


def days_of(last: Mapping[str, Mapping[date, bool]], *, succeeded: bool) -> dict[str, frozenset[date]]:
    """Return the dates by table whose last attempt succeeded, or failed."""
    return {table: frozenset(day for day, well in of.items() if well is succeeded) for table, of in last.items()}


def read_history(runs: Path, warehouse: str) -> History:
    """Read what earlier runs against a warehouse put on record.

    Parameters
    ----------
    runs : Path
        The folder of the runs. A run whose ledger does not hold is passed over.
    warehouse : str
        The identity of the warehouse.
    """
    events: list[Event] = []
    skipped: list[str] = []
    own = (file for file in runs.glob("*/ledger.jsonl") if not file.parent.is_symlink())  # LATEST is one of them
    files = sorted(own, key=lambda file: file.stat().st_mtime)
    for file in files[-LATEST:]:
        ledger = Ledger(file)
        try:
            found = ledger.events()
        except CourtbookError as error:
            skipped.append(f"not used as history: {error}")
            continue
        if any(event["data"].get("warehouse") == warehouse for event in found):
            events += [event for event in found if event["kind"] == "dates"]
    # Runs may have gone on side by side: what counts is when a date was tried.
    dated = [event["data"] for event in sorted(events, key=lambda event: str(event["time"]))]
    spent: dict[tuple[str, str], tuple[float, int]] = {}
    for data in dated:
        key = (data["table"], data["executor"])
        seconds, count = spent.get(key, (0.0, 0))
        spent[key] = (seconds + data["seconds"], count + len(data["done"]) + len(data["failed"]))
    rates = {key: seconds / count for key, (seconds, count) in spent.items() if count}
    return History(days_of(outcomes(dated), succeeded=False), rates, tuple(skipped))
