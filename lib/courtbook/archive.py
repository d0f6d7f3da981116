"""Opens the folder of a run and seals it: what stands at its beginning and at its end, however it ended."""

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courtbook.catalog import load_catalog
from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.bundle import json_text, new_run, write_once
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import Manifest, Seal, environment, seal
from courtbook.evidence.publish import fetch, list_runs, publish_index
from courtbook.evidence.record import read_run
from courtbook.evidence.secrets import scan, unsought
from courtbook.evidence.series import next_free, series
from courtbook.evidence.signatures import read_signatures, sign_off
from courtbook.evidence.unfinished import Shown
from courtbook.fingerprint import Fingerprint, differences, read_fingerprints
from courtbook.params import Params
from courtbook.params_file import Secrets, load_params, project_root, secrets_of
from courtbook.rejudge import run_verdict
from courtbook.sign_off import default_signers
from courtbook.step import RUN_PARAMS
from courtbook.warehouse.opening import open_warehouse
from courtbook.work import hold_run

BEFORE, AFTER = "tables-before.json", "tables-after.json"
# What the list of runs shows of a run: its top folder and its signatures.
LISTED = re.compile(r"[^/]+\.(jsonl?|yaml|html)|signatures/.*")
Fingerprints = Mapping[str, Fingerprint]


@dataclass(frozen=True)
class Sealed:
    """A sealed run: its last manifest, and the files of it in which a secret was found."""

    manifest: Manifest
    leaks: tuple[str, ...]


def read_tables(params: Params, then: Fingerprints | None = None) -> dict[str, Fingerprint]:
    """Return the fingerprints of all tables over the range of a run, by name."""
    tables = load_catalog().tables.values()
    return read_fingerprints(open_warehouse(params), tables, params.range.start, params.range.end, then=then)


@contextmanager
def open_run(
    params: Params, runs: Path, name: str, steps: Sequence[str], **more: object
) -> Iterator[tuple[Path, Ledger]]:
    """Make the folder of a new run and hold its lock; parameters, checks and the tables as they are go on record."""
    catalog, warehouse = load_catalog(), open_warehouse(params)
    before = read_tables(params) if params.fingerprints else {}
    folder = new_run(runs.resolve(), name)
    with hold_run(folder):
        write_once(folder / RUN_PARAMS, params.to_yaml())
        write_once(folder / BEFORE, _fingerprints_text(before))
        ledger = Ledger(folder / "ledger.jsonl")
        ledger.append(
            "run_started",
            params=params.digest(),
            parameters=params.model_dump(mode="json"),
            warehouse=warehouse.identity,
            steps=list(steps),
            operator=params.operator,
            declared={gate: {c.id: c.severity.value for c in catalog.checks_of(gate)} for gate in catalog.phases},
            **more,
        )
        yield folder, ledger


def _fingerprints_text(found: Fingerprints) -> str:
    return json_text({name: item.record() for name, item in found.items()})


def _totals(found: Fingerprints) -> dict[str, Any]:
    return {name: {"rows": item.rows, "digest": item.digest} for name, item in found.items()}


def read_recorded(file: Path) -> dict[str, Fingerprint]:
    """Read the fingerprints that a run kept."""
    content = json.loads(file.read_text(encoding="utf-8"))
    return {name: Fingerprint.from_record(record) for name, record in content.items()}


def changed_tables(folder: Path) -> tuple[str, ...]:
    """Say in words which tables do not hold today what they held when the run ended; nothing if all of them do."""
    files = series(folder, AFTER)
    if not files:
        raise CourtbookError(
            Reason.BAD_FILE,
            "This run kept no fingerprints of the tables at its end.",
            where=str(folder),
            next_action="Verify it without --against-warehouse; 'notes' in its manifest says why there are none.",
        )
    then = read_recorded(files[-1])
    return differences(then, read_tables(load_params(folder / RUN_PARAMS), then))


def make_page(folder: Path, signers: Path | None) -> Callable[[Manifest], str]:
    """Return what makes the page of a run for a manifest that is about to be written."""

    def page(manifest: Manifest) -> str:
        from courtbook.report.run_page import run_page

        signatures = read_signatures(folder, signers)
        return run_page(read_run(folder), manifest, signatures, sign_off(signatures))

    return page


def make_shown(folder: Path, signers: Path | None) -> Shown:
    """Return what makes the page and the document of a signature that is about to be sealed."""

    def document() -> str:
        from courtbook.report.documents import sign_off_page

        signatures = read_signatures(folder, signers)
        return sign_off_page(read_run(folder), signatures, sign_off(signatures))

    return Shown(make_page(folder, signers), document)


def seal_run(folder: Path, params: Params, root: Path, ledger: Ledger) -> Sealed:
    """Put the end of a run on record as what its steps amount to, write its documents, and seal it.

    What cannot be had at the end, such as fingerprints of a warehouse that is gone, is named in the manifest instead:
    a run that failed is sealed like any other.
    """
    before, notes = read_recorded(folder / BEFORE), []
    tables = {"before": _totals(before)}
    if params.fingerprints:
        try:
            after = read_tables(params, before)
            write_once(next_free(folder, AFTER), _fingerprints_text(after))
            tables["after"] = _totals(after)
        except CourtbookError as error:
            notes.append(f"no fingerprints of the tables at the end: {error}")
    else:
        notes.append("no fingerprints of the tables (see 'fingerprints'): They are not asked for. Set it to true.")
    verdict = run_verdict(read_run(folder))
    ledger.append("run_ended", verdict=verdict.value)
    try:
        _write_documents(folder)
    except (CourtbookError, OSError, ValueError, LookupError, TypeError) as error:
        notes.append(f"no documents, since something of the run cannot be read ({type(error).__name__}: {error})")
    secrets = secrets_of(params, root)
    short = unsought(secrets.values)
    leaks = _leaks(folder, secrets)
    facts = {
        "verdict": verdict.value,
        "environment": environment(root),
        "warehouse": ledger.data("run_started")[0]["warehouse"],
        "tables": tables,
        "sources": {data["notebook"]: data["source"] for data in ledger.data("attempt_started")},
        "secrets": {
            "looked_for": sorted(set(secrets.values) - set(short)),
            "too_short": sorted(short),
            "not_found": list(secrets.unresolved),
            "in": list(leaks),
        },
        "notes": notes,
    }
    signers = trusted_signers(root)
    sealed = Sealed(seal(folder, Seal.RUN, facts, make_page(folder, signers)), leaks)
    write_list(folder.parent, signers)
    return sealed


def trusted_signers(root: Path) -> Path | None:
    """Return the project's file of signers; None where it has none."""
    usual = default_signers(root)
    return usual if usual.is_file() else None


def leaks_of(folder: Path) -> tuple[str, ...]:
    """Return the files of a run in which there seems to be a secret: one of its parameters, or what looks like one."""
    return _leaks(folder, secrets_of(load_params(folder / RUN_PARAMS), project_root(folder)))


def _leaks(folder: Path, secrets: Secrets) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hit.file for hit in scan(folder, secrets.values)))


def write_list(runs: Path, signers: Path | None) -> None:
    """Bring the list of runs, ``index.html``, up to date."""
    from courtbook.report.index_page import write_index

    write_index(runs, signers)


def _fetched(url: str, name: str, to: str) -> Path:
    """Fetch what the list shows of a run; a signed one is fetched whole, since signatures bind all of its files."""
    address = f"{url.rstrip('/')}/{name}"
    some = fetch(address, Path(to), only=LISTED)
    return fetch(address, Path(to) / "whole") if (some / "signatures").is_dir() else some


def write_remote_list(runs: Path, signers: Path | None, url: str) -> None:
    """Bring the list of runs of a remote archive up to date; runs that are not here too are fetched to be read."""
    from courtbook.report.index_page import index_page, read_entry

    with tempfile.TemporaryDirectory(prefix="courtbook-") as elsewhere:
        folders = [runs / name if (runs / name).is_dir() else _fetched(url, name, elsewhere) for name in list_runs(url)]
        publish_index(index_page([read_entry(folder, signers) for folder in folders]), url)


def _write_documents(folder: Path) -> None:
    from courtbook.report.documents import documents

    target = next_free(folder, "documents")
    target.mkdir()
    for name, text in documents(read_run(folder)).items():
        write_once(target / name, text)
