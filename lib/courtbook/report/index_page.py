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
from courtbook.evidence.signatures import SignOff, read_signatures, sign_off
from courtbook.report.page import link, moment, render
from courtbook.report.pages import honest
from courtbook.report.work import duration

INDEX = "index.html"
NOT_SEALED, UNREADABLE = "not sealed", "cannot be read"


@dataclass(frozen=True)
class Entry:
    """One run as the index lists it.

    Attributes
    ----------
    page : str
        The newest page of the run, by its path from the index; empty where it has none.
    verdict : str
        The run's verdict; ``not sealed`` or ``cannot be read`` where it has none that counts.
    signers : tuple of str
        Who signed: meaning, name and what the signature is worth.
    sign_off : SignOff or None
        What the signatures amount to; None where that is not known.
    problem : str
        Why the verdict does not count; empty if it does.
    """

    run: str
    page: str = ""
    verdict: str = UNREADABLE
    degraded: bool = False
    sign_off: SignOff | None = None
    signers: tuple[str, ...] = ()
    name: str = ""
    range: str = ""
    operator: str = ""
    started: str = ""
    seconds: float | None = None
    problem: str = ""

    @property
    def working(self) -> bool:
        """Whether it is a folder in which a person works, and no run of the chain."""
        return self.run.startswith("working-")


def read_entry(folder: Path, signers: Path | None) -> Entry:
    """Return what the index says of a run, whatever state its folder is in.

    Parameters
    ----------
    signers : Path or None
        The file that says which key belongs to whom.
    """
    page = ""
    try:
        pages = page_files(folder)
        page = f"{folder.name}/{pages[-1].name}" if pages else ""
        return _entry(folder, signers, page)
    except CourtbookError as error:
        return Entry(folder.name, page, problem=error.what)
    except OSError as error:
        return Entry(folder.name, page, problem=f"{Path(error.filename or folder).name}: {error.strerror}")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
        return Entry(folder.name, page, problem=f"{type(error).__name__}: {error}")


def _entry(folder: Path, signers: Path | None, page: str) -> Entry:
    events = Ledger(folder / "ledger.jsonl").events()
    begun: Mapping[str, Any] = next((e["data"] for e in events if e["kind"] == "run_started"), {})
    # Of a run's folder only what the index shows: hundreds of them have to be read in seconds.
    params = begun.get("parameters") or yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    run = Run(folder, dict(params), events, read_manifests(folder), ())
    covered = run.seal.evidence["ledger"]["events"] if run.seal else 0
    if run.ended is None:
        verdict, problem = NOT_SEALED, "it has no end on record: it is still going on, or was cut off"
    elif covered <= events.index(run.ended):
        verdict, problem = NOT_SEALED, f"it ended in {run.verdict}, and no manifest covers that"
    else:
        verdict, problem = honest(run, run.verdict), ""
    signed = read_signatures(folder, signers) if (folder / "signatures").is_dir() or run.data("signed") else ()
    return Entry(
        folder.name,
        page,
        verdict,
        run.degraded or verdict == "DEGRADED",
        sign_off(signed),
        tuple(f"{item.meaning.value} by {item.name} ({item.standing.value})" for item in signed),
        str(params["name"]),
        f"{params['range']['start']} to {params['range']['end']}",
        str(params.get("operator") or ""),
        events[0]["time"] if events else "",
        run.seconds,
        problem,
    )


def index_page(entries: Sequence[Entry]) -> str:
    """Return the page that lists runs, newest first, and the folders in which people work apart from them."""
    found = sorted(entries, key=lambda entry: entry.run, reverse=True)
    lists = [
        ("Runs", [_row(entry) for entry in found if not entry.working]),
        ("Working folders", [_row(entry) for entry in found if entry.working]),
    ]
    return render("index.html.j2", lists=lists)


def _row(entry: Entry) -> Sequence[object]:
    who = [f"{entry.operator} (unauthenticated)"] if entry.operator else []
    verdict = ["DEGRADED"] if entry.degraded and entry.verdict != "DEGRADED" else []
    return [
        [entry.verdict, *verdict],
        [link(entry.run, entry.page)] if entry.page else entry.run,
        entry.sign_off.value if entry.sign_off else "",
        entry.name,
        entry.range,
        [*who, *entry.signers],
        moment(entry.started),
        "" if entry.seconds is None else duration(entry.seconds),
        entry.problem,
    ]


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
