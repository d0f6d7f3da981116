"""The page of all runs: a table of contents, made anew from the folders. It is no evidence and may be replaced."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import page_files, read_manifests
from courtbook.evidence.record import Run
from courtbook.evidence.signatures import read_signatures, sign_off
from courtbook.report.page import link, moment, render
from courtbook.report.pages import honest
from courtbook.report.work import duration

INDEX = "index.html"
NOT_SEALED, UNREADABLE = "not sealed", "cannot be read"
_DAMAGED = "made by an older version, or damaged"


@dataclass(frozen=True)
class Entry:
    """One run as the index shows it, column by column.

    Attributes
    ----------
    page : str
        The newest page of the run, by its path from the index; empty where it has none.
    verdict : tuple of str
        The run's verdict, with DEGRADED; ``not sealed`` or ``cannot be read`` where it has none that counts.
    who : tuple of str
        The operator, and who signed: meaning, name and what the signature is worth.
    problem : str
        Why the verdict does not count; empty if it does.
    """

    run: str
    page: str
    verdict: tuple[str, ...] = (UNREADABLE,)
    sign_off: str = ""
    name: str = ""
    range: str = ""
    who: tuple[str, ...] = ()
    begun: str = ""
    took: str = ""
    problem: str = ""

    @property
    def row(self) -> Sequence[object]:
        """The row of the run."""
        run = [link(self.run, self.page) if self.page else self.run]
        about = [list(filter(None, pair)) for pair in ((self.name, self.range), (self.begun, self.took))]
        return [self.verdict, run, self.sign_off, about[0], self.who, about[1], self.problem]


def read_entry(folder: Path, signers: Path | None) -> Entry:
    """Return what the index says of a run, whatever state its folder is in.

    Parameters
    ----------
    signers : Path or None
        The file that says which key belongs to whom.
    """
    pages = page_files(folder)
    page = f"{folder.name}/{pages[-1].name}" if pages else ""
    try:
        return _entry(folder, signers, page)
    except CourtbookError as error:
        return Entry(folder.name, page, problem=_DAMAGED if error.reason is Reason.BAD_FILE else error.what)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, yaml.YAMLError):
        return Entry(folder.name, page, problem=_DAMAGED)


def _entry(folder: Path, signers: Path | None, page: str) -> Entry:
    events = Ledger(folder / "ledger.jsonl").events()
    begun: Mapping[str, Any] = next((e["data"] for e in events if e["kind"] == "run_started"), {})
    # Of a run's folder only what the index shows: hundreds of them have to be read in seconds.
    params = begun.get("parameters") or yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    run = Run(folder, dict(params), events, read_manifests(folder), ())
    covered = run.seal.evidence["ledger"]["events"] if run.seal else 0
    verdict, problem = honest(run, run.verdict), ""
    if run.ended is None:
        verdict, problem = NOT_SEALED, "it has no end on record: it is still going on, or was cut off"
    elif covered <= events.index(run.ended):
        verdict, problem = NOT_SEALED, f"it ended in {run.verdict}, and no manifest covers that"
    signed = read_signatures(folder, signers) if (folder / "signatures").is_dir() or run.data("signed") else ()
    operator = [f"{params['operator']} (unauthenticated)"] if params.get("operator") else []
    return Entry(
        folder.name,
        page,
        tuple(dict.fromkeys([verdict, *(["DEGRADED"] if run.degraded else [])])),
        sign_off(signed).value,
        params["name"],
        f"{params['range']['start']} to {params['range']['end']}",
        (*operator, *(f"{item.meaning.value} by {item.name} ({item.standing.value})" for item in signed)),
        moment(events[0]["time"]),
        duration(run.seconds),
        problem,
    )


def index_page(entries: Sequence[Entry]) -> str:
    """Return the page that lists runs, newest first, and the folders in which people work apart from them."""
    lists: dict[str, list[Sequence[object]]] = {"Runs": [], "Working folders": []}
    for entry in sorted(entries, key=lambda entry: entry.run, reverse=True):
        lists["Working folders" if entry.run.startswith("working-") else "Runs"].append(entry.row)
    return render("index.html.j2", lists=lists)


def write_index(runs: Path, signers: Path | None) -> Path:
    """Write the index of a folder of runs, the one file that is replaced; whoever reads meanwhile sees a whole one."""
    folders = [item for item in runs.iterdir() if item.is_dir() and not item.is_symlink() and item.name[0] != "."]
    page = index_page([read_entry(folder, signers) for folder in folders])
    temporary = runs / f".{INDEX}.{uuid.uuid4().hex}"
    try:
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(runs / INDEX)
    except OSError as error:
        raise CourtbookError(
            Reason.DISK_FULL,
            f"The index of the runs cannot be written: {error.strerror}.",
            where=str(runs / INDEX),
            next_action="The runs themselves are whole. Make room, or the folder writable, and run again.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return runs / INDEX
