"""The runbook's documents, made from what a run put on record alone: Markdown that reads well as text too."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from textwrap import indent
from typing import TYPE_CHECKING

from courtbook.catalog import Catalog, ChecklistItem, Layer, load_catalog
from courtbook.checks.result import CheckResult, Status
from courtbook.evidence.ledger import Event
from courtbook.evidence.record import Run, read_run
from courtbook.evidence.signatures import Meaning, Signature, SignOff, Standing
from courtbook.evidence.statement import against_approval
from courtbook.report.handoff import handoff, why_of
from courtbook.report.pages import (
    WIDTH,
    Gate,
    coverage_lines,
    document,
    fenced,
    fitted,
    gates_of,
    one_line,
    plain,
    section_lines,
    top_lines,
    worst_first,
    wrapped,
)
from courtbook.report.tables import measured

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
    return {**found, "checklist.md": _checklist(run, catalog, gates), "handoff.md": handoff(run, catalog, gates)}


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


def _checks(results: Sequence[CheckResult]) -> list[str]:
    """List checks, worst first; those that share status, rule and bounds stand together."""
    lines: list[str] = []
    for (_, asked, rule), found in groupby(
        worst_first(results), key=lambda item: (item.status, measured(item)[1], item.check.rule)
    ):
        group = list(found)
        rows = [[item.status.value, item.check.id, *measured(item)[::2]] for item in group]
        noted = [(item.check.id, text) for item in group for text in (item.detail, item.excuse) if text]
        lines += [wrapped(one_line(f"asked for {asked}: {rule}"), "           ")] if rule else []
        lines.append(indent(fitted(rows, ["", "", "", ""], width=WIDTH - 2), "  "))
        lines += [f"    {wrapped(one_line(f'{name}: {text}'), ' ' * 6, width=WIDTH - 4)}" for name, text in noted]
    return fenced("\n".join(lines))


def _validation(run: Run, catalog: Catalog, gate: Gate) -> str:
    title = catalog.step(f"{gate.name}_validation").title
    accepted = [
        wrapped(f"- {plain(item.check.id)}: {plain(item.excuse)}", "  ") for item in gate.results if item.excuse
    ]
    changed = [f"- {plain(item.check.id)}: {plain(measured(item)[1])}" for item in gate.results if item.overridden]
    partly = "" if gate.whole else "The step did not come to its end: of each check only the status is on record."
    return document(
        [
            *top_lines(run, title, gate.verdict, gate.words),
            *(wrapped(f"- decided: {when}", "  ") for when in gate.when),
            *(["", partly] if partly else []),
            *section_lines("Coverage", coverage_lines(run, catalog, [Layer(gate.name)])),
            *section_lines("Checks", _checks(gate.results)),
            *section_lines("Completion checklist", _boxes(catalog, gate.name, gate)),
            *section_lines("Accepted by name", accepted, "Nothing."),
            *section_lines("Thresholds that the parameters changed", changed, "None."),
            *section_lines("Signature", ["Signatures come after this document; each one adds a sign-off document."]),
        ]
    )


def _boxes(catalog: Catalog, phase: str, gate: Gate | None) -> list[str]:
    found = {item.check.id: item for item in gate.results} if gate else {}
    return [_box(catalog, item, found) for item in catalog.checklist if item.phase == phase]


def _box(catalog: Catalog, box: ChecklistItem, found: Mapping[str, CheckResult]) -> str:
    """Tick a box if every check that proves it has passed; otherwise say why it stays open."""
    wanted = [c.id for c in catalog.checks_of(box.phase) if c.id.partition(".")[0] in box.checks]
    silent = tuple(name for name in wanted if name not in found)
    wrong = worst_first(found[name] for name in wanted if name in found and found[name].status is not Status.PASS)
    why = [
        f"{item.status.value} {item.check.id} {measured(item)[0]}"
        + (f", accepted: {item.excuse}" if item.excuse else "")
        for item in wrong[:3]
    ]
    why += [f"{len(wrong) - 3} more"] if len(wrong) > 3 else []
    if not box.checks:
        why = ["a person, with the signature"]
    elif not found:
        why = [f"the gate {box.phase} was not decided in this run"]
    elif silent or not wanted:
        names = ", ".join((silent or box.checks)[:3]) + (f" and {len(silent) - 3} more" if len(silent) > 3 else "")
        why.append(f"no report of {names}")
    changed = [name for name in wanted if name in found and found[name].overridden]
    said = f"Open: {'; '.join(why)}." if why else f"{len(wanted)} checks passed: {', '.join(box.checks)}."
    said += f" The parameters changed the threshold of {', '.join(changed)}." if changed else ""
    return wrapped(f"- [{' ' if why else 'x'}] {plain(f'{box.item} ({box.source}). {said}')}", "      ")


def _checklist(run: Run, catalog: Catalog, gates: Mapping[str, Gate]) -> str:
    lines, boxes = [], 0
    for phase in dict.fromkeys(item.phase for item in catalog.checklist):
        own = _boxes(catalog, phase, gates.get(phase))
        done, boxes = sum(box.startswith("- [x]") for box in own), boxes + len(own)
        said = f"gate {gates[phase].verdict}" if phase in gates else "gate not decided"
        lines += section_lines(f"{phase}: {done} of {len(own)} ticked, {said}", own)
    ticked = sum(line.startswith("- [x]") for line in lines)
    top = top_lines(run, f"Completion checklist, {ticked} of {boxes} boxes ticked", run.verdict, why_of(run))
    return document([*top, "", "A box is ticked by checks that passed, never by hand.", *lines])


_MISSING: Mapping[SignOff, str] = {
    SignOff.UNSIGNED: "a valid signature of who executed the run, then a valid approval by somebody else",
    SignOff.EXECUTED: "a valid approval by somebody else than who executed the run, with another key",
    SignOff.REVIEWED: "a valid approval by somebody else than who executed the run, with another key",
    SignOff.REJECTED: "the rejection stands until who signed it revokes it; otherwise a new run",
    SignOff.UNCHECKED: "signatures that were checked: why they could not be stands below",
    SignOff.BROKEN: "another copy of the run: a signature of this one does not hold",
    SignOff.SIGNED_OFF: "nothing",
}


def sign_off_page(run: Run, signatures: Sequence[Signature], sign_off: SignOff) -> str:
    """Return the sign-off document as of the last signature, to be written once that is part of the run's record."""
    rows = [
        [item.number, item.name, item.role, item.meaning.value, f"{item.time[:19]}Z", item.standing.value]
        for item in signatures
    ]
    said = [
        wrapped(f"- {item.number}, {plain(item.name)}: {plain(words)}", "  ")
        for item in signatures
        for words in (item.comment, item.why, f"revokes {item.revokes}" if item.meaning is Meaning.REVOKED else "")
        if words
    ]
    keys = [f"- {item.number}: {plain(item.fingerprint)}, {plain(item.file)}" for item in signatures]
    lacking = [f"- {_MISSING[sign_off]}"]
    if sign_off is not SignOff.SIGNED_OFF:
        lacking += [
            wrapped(f"- signature {item.number} does not count, it is {item.standing.value}: {plain(item.why)}", "  ")
            for item in signatures
            if item.standing is not Standing.VALID
        ]
        lacking += [wrapped(f"- against approval: {plain(words)}", "  ") for words in against_approval(run)]
    seal = run.seal.digest if run.seal else "not sealed"
    top = top_lines(run, "Sign-off", sign_off.value, f"The run ended in {run.verdict}")
    heads = ["", "name", "role", "meaning", "time", "standing"]
    return document(
        [
            *top,
            f"- digest of the sealed run: {seal}",
            *section_lines("Signatures", fenced(fitted(rows, heads)) if rows else [], "None."),
            *section_lines("What they say", said, "No comment."),
            *section_lines("Keys and files", keys, "None."),
            *section_lines("Missing for SIGNED OFF", lacking),
        ]
    )
