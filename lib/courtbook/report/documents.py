"""The runbook's documents, made from what a run put on record alone: Markdown that reads well as text too."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from courtbook.catalog import Catalog, ChecklistItem, Layer, load_catalog
from courtbook.checks.result import CheckResult, Status
from courtbook.evidence.ledger import Event
from courtbook.evidence.record import Run, read_run
from courtbook.evidence.signatures import Meaning, Signature, SignOff
from courtbook.evidence.statement import against_approval
from courtbook.report.handoff import handoff
from courtbook.report.pages import Gate, check_lines, coverage_lines, coverage_of, document, gates_of, worst_first
from courtbook.report.tables import measured
from courtbook.report.text import fenced, fitted, listed, plain, wrapped
from courtbook.report.trouble import why_of

if TYPE_CHECKING:
    from courtbook.step import Step


def documents(run: Run) -> Mapping[str, str]:
    """Return the documents of a run by file name, however it ended: results, checklist, handoff."""
    catalog, gates = load_catalog(), gates_of(run)
    found = {
        f"{layer.value}-validation.md": _validation(run, catalog, gates[layer.value])
        for layer in Layer
        if layer.value in gates
    }
    checklist = _checklist(run, catalog, gates)
    return {**found, "checklist.md": checklist, "handoff.md": handoff(run, catalog, gates)}


def so_far(step: "Step") -> Mapping[str, str]:
    """Return the documents of a run as if it ended with what this step has found so far."""
    run, (verdict, why) = read_run(step.run), step.verdict()
    result = {"gates": [decision.record(results=True) for decision in step.decisions]}
    key = (step.definition.name, step.attempt.name)
    attempts = tuple(
        replace(item, verdict=verdict.value, why=why, result=result) if (item.step, item.name) == key else item
        for item in run.attempts
    )
    end: Event = {"kind": "run_ended", "time": run.events[-1]["time"], "data": {"verdict": verdict.value}}
    return documents(replace(run, attempts=attempts, events=(*run.events, end)))


def _validation(run: Run, catalog: Catalog, gate: Gate) -> str:
    title = catalog.step(f"{gate.name}_validation").title
    others = {table.name for table in catalog.processed if table.layer.value != gate.name}
    read = {name: item for name, item in coverage_of(run, catalog).items() if name not in others}
    accepted = [f"{item.check.id}: {item.excuse}" for item in gate.results if item.excuse]
    changed = [f"{item.check.id}: {measured(item)[1]}" for item in gate.results if item.overridden]
    decided = [f"decided: {when}" for when in gate.when]
    sections = {
        "Coverage": coverage_lines(read),
        "Checks": check_lines(gate.results),
        "Completion checklist": _boxes(catalog, gate.name, gate),
        "Accepted by name": listed(accepted) or ["Nothing."],
        "Thresholds that the parameters changed": listed(changed) or ["None."],
    }
    return document(run, title, gate.verdict, gate.words, sections=sections, about=decided)


def _boxes(catalog: Catalog, phase: str, gate: Gate | None) -> list[str]:
    found = {item.check.id: item for item in gate.results} if gate else {}
    return [_box(catalog, item, found) for item in catalog.checklist if item.phase == phase]


def _box(catalog: Catalog, box: ChecklistItem, found: Mapping[str, CheckResult]) -> str:
    """Tick a box if every check that proves it has passed; otherwise say why it stays open."""
    wanted = [c.id for c in catalog.checks_of(box.phase) if c.id.partition(".")[0] in box.checks]
    if not box.checks:
        why = ["a person, with the signature"]
    elif not found:
        why = [f"no results of the gate {box.phase} are on record"]
    else:
        why = [f"no report of {name}" for name in wanted or box.checks if name not in found]
        for item in worst_first(found[name] for name in wanted if name in found):
            if item.status is not Status.PASS:
                accepted = f", accepted: {item.excuse}" if item.excuse else ""
                why.append(f"{item.status.value} {item.check.id} {measured(item)[0]}{accepted}")
    more = f"; {len(why) - 3} more" if len(why) > 3 else ""
    said = f"Open: {'; '.join(why[:3])}{more}." if why else f"{len(wanted)} checks passed: {', '.join(box.checks)}."
    changed = [name for name in wanted if name in found and found[name].overridden]
    said += f" The parameters changed the threshold of {', '.join(changed)}." if changed else ""
    return wrapped(f"- [{' ' if why else 'x'}] {plain(f'{box.item} ({box.source}). {said}')}", "      ")


def _checklist(run: Run, catalog: Catalog, gates: Mapping[str, Gate]) -> str:
    sections = {}
    for phase in dict.fromkeys(item.phase for item in catalog.checklist):
        said = f"gate {gates[phase].verdict}" if phase in gates else "gate not decided"
        sections[f"{phase}: {said}"] = _boxes(catalog, phase, gates.get(phase))
    ticked = sum(box.startswith("- [x]") for boxes in sections.values() for box in boxes)
    title = f"Completion checklist, {ticked} of {len(catalog.checklist)} boxes ticked"
    about = ["a box is ticked by checks that passed, never by hand"]
    return document(run, title, run.verdict, why_of(run), sections=sections, about=about)


_MISSING: Mapping[SignOff, str] = {
    SignOff.UNSIGNED: "a valid signature of who executed the run, then a valid approval by somebody else",
    SignOff.EXECUTED: "a valid approval by somebody else than who executed the run, with another key",
    SignOff.REVIEWED: "a valid approval by somebody else than who executed the run, with another key",
    SignOff.REJECTED: "the rejection stands until who signed it revokes it; otherwise a new run",
    SignOff.UNCHECKED: "signatures that were checked: why they could not be stands above",
    SignOff.BROKEN: "another copy of the run: a signature of this one does not hold",
    SignOff.SIGNED_OFF: "nothing",
}


def sign_off_page(run: Run, signatures: Sequence[Signature], sign_off: SignOff) -> str:
    """Return the sign-off document as of the last signature, to be written once that is part of the run's record."""
    rows = [
        [item.number, item.name, item.role, item.meaning.value, f"{item.time[:19]}Z", item.standing.value]
        for item in signatures
    ]
    said = []
    for item in signatures:
        revoked = f"revokes {item.revokes}" if item.meaning is Meaning.REVOKED else ""
        words = filter(None, (item.comment, item.why, revoked, f"key {item.fingerprint}", item.file))
        said.append(f"{item.number}, {item.name}: {'; '.join(words)}")
    lacking = [_MISSING[sign_off]]
    if sign_off is not SignOff.SIGNED_OFF:
        lacking += [f"against approval: {words}" for words in against_approval(run)]
    heads = ["", "name", "role", "meaning", "time", "standing"]
    sections = {
        "Signatures": [*fenced(fitted(rows, heads)), "", *listed(said)] if rows else ["None."],
        "Missing for SIGNED OFF": listed(lacking),
    }
    about = [f"digest of the sealed run: {run.seal.digest if run.seal else 'not sealed'}"]
    return document(run, "Sign-off", sign_off.value, f"The run ended in {run.verdict}", sections=sections, about=about)
