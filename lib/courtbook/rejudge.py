"""Computes recorded verdicts again from what they rest on: numbers to statuses, checks to gates, gates to steps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from courtbook.catalog import Severity
from courtbook.checks.result import Status, Verdict, judge, verdict
from courtbook.evidence.bundle import sha256
from courtbook.evidence.record import Attempt, Finding, Run
from courtbook.gates import GOING_ON


def run_verdict(run: Run) -> Verdict:
    """Return what the attempts of a run amount to: the last one's verdict; INTERRUPTED if steps are left after GO."""
    last = {item.step: item.verdict for item in run.attempts}
    if not run.attempts:
        return Verdict.INTERRUPTED
    said = Verdict(run.attempts[-1].verdict)
    left = [name for name in run.data("run_started")[0]["steps"] if last.get(name) not in GOING_ON]
    return Verdict.INTERRUPTED if left and said.value in GOING_ON else said


@dataclass(frozen=True)
class _Check:
    id: str
    severity: Severity


@dataclass(frozen=True)
class _Result:
    check: _Check
    status: Status
    excuse: str


def result_findings(run: Run, attempt: Attempt, where: str) -> Iterator[Finding]:
    """Compare a result with the ledger, and compute its verdict again from its checks."""
    concluded = [
        data for data in run.data("step_concluded") if (data["step"], data["attempt"]) == (attempt.step, attempt.name)
    ]
    if not concluded:
        if attempt.result:
            yield Finding(where, "it is there although the step came to no conclusion")
        return
    result, told = attempt.result, concluded[-1]
    if not result:
        yield Finding(where, "is not there although the step came to a conclusion")
        return
    if sha256(attempt.folder / "result.json") != told["result"]:
        yield Finding(where, "it is not the one that the step wrote")
    if (result["verdict"], result["params"]) != (told["verdict"], run.data("run_started")[0]["params"]):
        yield Finding(where, "its verdict or its parameters are not those on record")
    if attempt.verdict not in (result["verdict"], Verdict.INTERRUPTED.value):
        yield Finding(where, f"it says {result['verdict']}, the ledger {attempt.verdict}")
    declared = run.data("run_started")[0]["declared"]
    said = []
    for gate in result["gates"]:
        yield from _gate(run, gate, declared.get(gate["gate"], {}), f"{where}, gate {gate['gate']}")
        said.append(_said(gate, declared.get(gate["gate"], {})))
    again = _step_verdict(result, said)
    if again.value != result["verdict"]:
        yield Finding(where, f"it says {result['verdict']}, its checks and backfills amount to {again.value}")


def _found(gate: Mapping[str, Any], declared: Mapping[str, str]) -> list[_Result]:
    return [
        _Result(_Check(item["id"], Severity(declared[item["id"]])), Status(item["status"]), item["excuse"])
        for item in gate["results"]
        if item["id"] in declared
    ]


def _said(gate: Mapping[str, Any], declared: Mapping[str, str]) -> Verdict:
    """Return the verdict of a gate as its results make it; that an override stands beside it does not change them."""
    said = verdict(declared, _found(gate, declared))
    overridden = gate["override"] and said in (Verdict.MARGINAL, Verdict.NO_GO)
    return Verdict.DEGRADED if overridden else said


def _gate(run: Run, gate: Mapping[str, Any], declared: Mapping[str, str], where: str) -> Iterator[Finding]:
    """Look at each check of a gate: declared and reported, with the status that its numbers have, and on record."""
    reported = [item["id"] for item in gate["results"]]
    for name in sorted(set(declared) - set(reported)):
        yield Finding(f"{where}, check {name}", "was declared and did not report")
    for name in sorted({name for name in reported if name not in declared or reported.count(name) > 1}):
        yield Finding(f"{where}, check {name}", "reported and was not declared, or twice")
    for item in gate["results"]:
        if item["id"] in declared:
            yield from _status(run, item, _Check(item["id"], Severity(declared[item["id"]])), where)
    if (again := _said(gate, declared)).value != gate["verdict"]:
        yield Finding(where, f"it says {gate['verdict']}, its checks amount to {again.value}")
    if gate["override"] and gate["override"] != run.params["override"]:
        yield Finding(where, "its override is not the one in the parameters")
    told = {item["id"]: item["status"] for item in gate["results"]}
    if told not in [data["results"] for data in run.data("gate") if data["gate"] == gate["gate"]]:
        yield Finding(where, "its results are not those that the ledger has")


def _status(run: Run, item: Mapping[str, Any], check: _Check, where: str) -> Iterator[Finding]:
    place, status = f"{where}, check {check.id}", Status(item["status"])
    waived = check.id in run.params["waivers"]
    accepted = item["table"] in run.params["accept"]
    if item["excuse"] and not (waived or accepted):
        yield Finding(place, "it was accepted by nobody whom the parameters name")
    if item["severity"] != check.severity.value:
        yield Finding(place, "its severity is not the declared one")
    if status is Status.ERROR or (item["value"] is None and item["numerator"] is not None):
        return  # an error needs no number; a ratio to nothing is infinite, which JSON cannot hold
    bounds = {name: item[name] for name in ("minimum", "maximum", "floor")}
    again = judge(check, item["value"], **bounds)
    if again is not status and not (again is Status.FAIL and status is Status.WARN and item["excuse"] and accepted):
        yield Finding(place, f"it says {status.value}, its numbers say {again.value}")


def _step_verdict(result: Mapping[str, Any], said: list[Verdict]) -> Verdict:
    """Compute the verdict of a step from its gates, its backfills and the steps that it rests on."""
    closed = [item for item in said if item.value not in GOING_ON]
    if closed:
        return Verdict.MARGINAL if all(item is Verdict.MARGINAL for item in closed) else Verdict.NO_GO
    unfinished = any(item[key] for item in result["backfills"] for key in ("failed", "held_back", "unsound", "errors"))
    behind = any(item not in GOING_ON for item in result["reviewed"].values())
    nothing = not (said or result["backfills"] or result["reviewed"])
    if unfinished or behind or nothing:
        return Verdict.NO_GO
    return Verdict.DEGRADED if result["degraded"] or Verdict.DEGRADED in said else Verdict.GO
