"""Says whether an archive still is what was sealed, and whether its verdict follows from what it holds: offline."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from courtbook.checks.result import Verdict
from courtbook.errors import CourtbookError
from courtbook.evidence.bundle import sha256
from courtbook.evidence.cells import cells_digest, read_cells
from courtbook.evidence.faults import faults
from courtbook.evidence.ledger import canonical_json, digest_of, ledger_files, manifest_files
from courtbook.evidence.manifest import Manifest, Seal, digests, read_manifest
from courtbook.evidence.record import Attempt, Finding, Run, read_run
from courtbook.evidence.signatures import Signature, SignOff, Standing, read_signatures, sign_off
from courtbook.gates import GOING_ON
from courtbook.rejudge import result_findings, run_verdict

T = TypeVar("T")
# Standings that take nothing away from the archive: they are shown, with their reason.
_HARMLESS = (Standing.VALID, Standing.VOID, Standing.REVOKED)


@dataclass(frozen=True)
class Verification:
    """What was looked at, and what does not hold.

    Attributes
    ----------
    counted : mapping
        How much was looked at: files, events, notebooks, cells, checks, signatures.
    """

    run: str
    verdict: str
    digest: str
    findings: tuple[Finding, ...]
    signatures: tuple[Signature, ...]
    sign_off: SignOff
    counted: Mapping[str, int]

    def record(self) -> dict[str, Any]:
        """Return the verification as the command prints it."""
        return {
            "run": self.run,
            "holds": not self.findings,
            "verdict": self.verdict,
            "digest": self.digest,
            "sign_off": self.sign_off.value,
            "signatures": [
                {"number": s.number, "name": s.name, "role": s.role, "meaning": s.meaning.value, "time": s.time,
                 "fingerprint": s.fingerprint, "standing": s.standing.value, "why": s.why}
                for s in self.signatures
            ],
            "counted": dict(self.counted),
            "findings": [{"where": item.where, "what": item.what} for item in self.findings],
        }  # fmt: skip


def verify(folder: Path, signers: Path | None) -> Verification:
    """Look at everything in a run's folder; no warehouse and no network is needed.

    Parameters
    ----------
    signers : Path or None
        The file that says which key belongs to whom; without one every signature is unauthenticated.
    """
    findings = _safely(_manifests, folder)
    counted: dict[str, int] = {}
    try:
        counted["files"] = len(digests(folder))
        run = read_run(folder)
        signatures = read_signatures(folder, signers)
    except OSError as error:
        broken = (*findings, Finding(Path(str(error.filename)).name, f"cannot be read: {error.strerror}"))
        return Verification(folder.name, "unknown", "", broken, (), SignOff.UNSIGNED, counted)
    except CourtbookError as error:
        broken = (*findings, Finding(Path(error.where).name, error.what))
        return Verification(folder.name, "unknown", "", broken, (), SignOff.UNSIGNED, counted)
    for look in (_ledger, _params, _attempts, _verdict):
        findings += _safely(look, run)
    findings += [
        Finding(item.file, f"the signature of {item.name} ({item.meaning.value}) is {item.standing.value}: {item.why}")
        for item in signatures
        if item.standing not in _HARMLESS
    ]
    counted |= {
        "events": len(run.events),
        "notebooks": sum(item.notebook.is_file() for item in run.attempts),
        "cells": sum(len(data["cells"]) for data in run.data("attempt_ended")),
        "checks": len(run.checks),
        "signatures": len(signatures),
    }
    digest = run.seal.digest if run.seal else ""
    return Verification(run.name, run.verdict, digest, tuple(findings), signatures, sign_off(signatures), counted)


def _safely(look: Callable[[T], Iterator[Finding]], at: T) -> list[Finding]:
    """Look at one side of a run; what is not there or has another form is a finding too."""
    found: list[Finding] = []
    try:
        found.extend(look(at))
    except CourtbookError as error:
        found.append(Finding(error.where, error.what))
    except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        found.append(
            Finding(look.__name__.removeprefix("_"), f"it has no known form ({type(error).__name__}: {error})")
        )
    return found


def _manifests(folder: Path) -> Iterator[Finding]:
    """Compare the folder with its manifests: each byte of each file, those of the manifests included."""
    paths = manifest_files(folder)
    if not paths:
        yield Finding("manifest.json", "is not there: the run was never sealed, it was killed or still goes on")
        return
    previous: Manifest | None = None
    for path in paths:
        try:
            manifest = read_manifest(path)
        except CourtbookError as error:
            yield Finding(path.name, error.what)
            return
        if path.is_symlink() or manifest.text().encode() != path.read_bytes():
            yield Finding(path.name, "was changed: it is not written as courtbook writes it")
        if digest_of(manifest.evidence) != manifest.digest:
            yield Finding(path.name, "was changed: its digest is not that of its content")
        for name, entry in (previous.files if previous else {}).items():
            if manifest.files.get(name) != entry:
                yield Finding(path.name, f"seals another {name} than the manifest before it")
        previous = manifest
    assert previous is not None  # noqa: S101 - there is at least one
    yield from _files(folder, previous)


def _files(folder: Path, last: Manifest) -> Iterator[Finding]:
    there = digests(folder)
    there.pop(last.path.name)
    for name, entry in last.files.items():
        found = there.pop(name, None)
        if found is None:
            yield Finding(name, "is gone")
        elif found != entry:
            sizes = f"{entry['bytes']} bytes were sealed, {found['bytes']} are there"
            yield Finding(name, f"was changed: {sizes if found['bytes'] != entry['bytes'] else 'other bytes'}")
        elif "link" in found:
            yield Finding(name, "is a link or no plain file; what it leads to is not sealed")
    for name in there:
        yield Finding(name, "was added after the run was sealed")


def _ledger(run: Run) -> Iterator[Finding]:
    """Compare the ledger with what the manifests say of it, and its beginning and end with what a run leaves."""
    files = ledger_files(run.folder)
    if len(files) != len(run.manifests):
        yield Finding("ledger.jsonl", f"it has {len(files)} files, sealed by {len(run.manifests)} manifests")
    hashes = [event["hash"] for event in run.events]
    for manifest in run.manifests:
        told = manifest.evidence["ledger"]
        if hashes[told["events"] - 1 : told["events"]] != [told["head"]]:
            yield Finding(
                "ledger.jsonl", f"event {told['events']} is not the last one that {manifest.path.name} sealed"
            )
    if run.events and not files[-1].read_bytes().endswith(b"\n"):
        yield Finding(files[-1].name, "its last line is torn")
    kinds = [event["kind"] for event in run.events]
    if not kinds or kinds[0] != "run_started":
        yield Finding("ledger.jsonl", "it does not begin with the start of a run")
    if run.ended is None:
        yield Finding("ledger.jsonl", "the run has no end on record: it was killed or still goes on")
    begun = {(data["step"], data["attempt"]) for data in run.data("attempt_started")}
    closed = [(data["step"], data["attempt"]) for data in run.data("attempt_ended")]
    for step, name in sorted(begun ^ set(closed)):
        yield Finding(f"{step} {name}", "its start and its end are not both on record")


def _params(run: Run) -> Iterator[Finding]:
    """Compare the parameters with those that the run started with."""
    start = run.data("run_started")[0]
    if canonical_json(run.params) != canonical_json(start["parameters"]):
        yield Finding("params.yaml", "these are not the parameters that the run started with")
    if digest_of(start["parameters"]) != start["params"]:
        yield Finding("ledger.jsonl", "the parameters of the run do not have the digest that is on record")


def _attempts(run: Run) -> Iterator[Finding]:
    """Look at the notebook and the result of every attempt."""
    ends = {(data["step"], data["attempt"]): data for data in run.data("attempt_ended")}
    starts = {(data["step"], data["attempt"]): data for data in run.data("attempt_started")}
    for attempt in run.attempts:
        where = attempt.folder.relative_to(run.folder).as_posix()
        if start := starts.get((attempt.step, attempt.name)):
            yield from _notebook(attempt, where, start, ends.get((attempt.step, attempt.name), {}))
        yield from result_findings(run, attempt, f"{where}/result.json")


def _notebook(attempt: Attempt, where: str, start: Mapping[str, Any], end: Mapping[str, Any]) -> Iterator[Finding]:
    file = f"{where}/{attempt.notebook.name}"
    for what in faults(attempt.notebook, complete=attempt.verdict in GOING_ON):
        yield Finding(file, what)
    if cells_digest(attempt.notebook) != start["source"]["cells"]:
        yield Finding(file, "its cells are not those of the source notebook")
    told = [[cell.id, cell.state.value, cell.count, cell.outputs] for cell in read_cells(attempt.notebook)]
    if sha256(attempt.notebook) != end.get("sha256"):
        yield Finding(file, "it is not the one that was saved when the attempt ended")
    if told != end.get("cells"):
        yield Finding(file, "its cells are not those that the ledger says ran")
    if not attempt.notebook.with_suffix(".html").is_file():
        yield Finding(file.replace(".ipynb", ".html"), "is not there")


def _verdict(run: Run) -> Iterator[Finding]:
    """Compare the verdict of the run with those of its steps, and with its seal."""
    due = run_verdict(run).value
    if run.ended is not None and run.verdict != due:
        yield Finding("ledger.jsonl", f"the run ended as {run.verdict}, its steps amount to {due}")
    seals = [item for item in run.manifests if item.kind is Seal.RUN]
    if seals and run.ended is not None and seals[-1].evidence["verdict"] != run.verdict:
        yield Finding(seals[-1].path.name, f"it says {seals[-1].evidence['verdict']}, the ledger {run.verdict}")
    for override in run.overrides:
        if run.verdict == Verdict.GO.value:
            yield Finding("ledger.jsonl", f"the run is GO although the gate {override['gate']} was overridden")
