"""GO or NO-GO from check results, what a person may do about it, and the question that every write asks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from courtbook.backfill.runner import BackfillReport
from courtbook.catalog import Check, Severity
from courtbook.checks.result import CheckResult, Status, Verdict, blocks, verdict
from courtbook.checks.runner import run_checks
from courtbook.checks.scope import Scope
from courtbook.errors import GateClosed
from courtbook.params import OverrideParams
from courtbook.plan import Plan

# Verdicts with which the chain goes on.
GOING_ON = (Verdict.GO.value, Verdict.DEGRADED.value)


@dataclass(frozen=True)
class Decision:
    """What a gate said, and why.

    ``override`` is set where the gate said no and was overridden by name (option C): the verdict is then DEGRADED.
    """

    gate: str
    verdict: Verdict
    results: tuple[CheckResult, ...]
    override: OverrideParams | None = None

    @property
    def blockers(self) -> tuple[CheckResult, ...]:
        """Results that stand in the way."""
        return tuple(result for result in self.results if blocks(result))

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """Results that are not as they should be but do not stand in the way, and that nobody has accepted."""
        return tuple(r for r in self.results if r.status is not Status.PASS and not blocks(r) and not r.excuse)

    @property
    def excused(self) -> tuple[CheckResult, ...]:
        """Results that are not as they should be and were accepted by name."""
        return tuple(result for result in self.results if result.excuse)

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that blockers name, in the order of the checks."""
        return tuple(dict.fromkeys(result.check.table for result in self.blockers if result.check.table))

    def words(self) -> str:
        """Return the decision in one sentence."""
        if self.verdict is Verdict.INTERRUPTED:
            return "not every declared check has reported"
        if self.verdict is Verdict.GO:
            critical = sum(result.check.severity is Severity.CRITICAL for result in self.results)
            empty = sum(result.status is Status.NO_DATA for result in self.warnings)
            counts = {
                "with a warning": len(self.warnings) - empty,
                "without data": empty,
                "accepted by name": len(self.excused),
            }
            noted = [f"{number} {words}" for words, number in counts.items() if number]
            passed = "all critical checks" if self.excused else f"all {critical} critical checks"
            return f"{passed} of {len(self.results)} passed" + "".join(f", {item}" for item in noted)
        about = f" in {', '.join(self.tables)}" if self.tables else f": {', '.join(r.check.id for r in self.blockers)}"
        said = f"{len(self.blockers)} of {len(self.results)} checks block{about}"
        if self.override is None:
            return said
        return f"{said}; DEGRADED: overridden by {self.override.by}: {self.override.reason}"

    def record(self, *, results: bool = False) -> dict[str, Any]:
        """Return the decision as the ledger holds it; with every result as ``result.json`` does."""
        told = {"words": self.words(), "results": [item.record() for item in self.results]} if results else {}
        return {
            **told,
            "gate": self.gate,
            "verdict": self.verdict.value,
            "checks": len(self.results),
            "blockers": [result.check.id for result in self.blockers],
            "warnings": [result.check.id for result in self.warnings],
            "excused": {result.check.id: result.excuse for result in self.excused},
            "thresholds": [result.check.id for result in self.results if result.overridden],
            "tables": list(self.tables),
            "override": None if self.override is None else self.override.model_dump(),
        }

    def outcomes(self) -> dict[str, str]:
        """Return the status of every check by its id."""
        return {result.check.id: result.status.value for result in self.results}


def decide(
    gate: str, declared: Iterable[Check], results: Iterable[CheckResult], override: OverrideParams | None = None
) -> Decision:
    """Decide a gate from the results of its checks.

    An override counts only for its own gate, only where the gate says no, and never where a check did not report.
    """
    found = tuple(results)
    said = verdict((check.id for check in declared), found)
    if override and override.gate == gate and said in (Verdict.MARGINAL, Verdict.NO_GO):
        return Decision(gate, Verdict.DEGRADED, found, override)
    return Decision(gate, said, found)


def evaluate(gate: str, scope: Scope) -> Decision:
    """Run the checks of a gate and decide it."""
    declared = scope.catalog.checks_of(gate)
    return decide(gate, declared, run_checks(scope, declared), scope.params.override)


def require_go(gate: str, last: Mapping[str, Any] | None) -> None:
    """Raise unless the last decision on record about a gate is GO, or was overridden.

    Parameters
    ----------
    last : mapping or None
        The recorded decision, None where the gate was never decided in this run.
    """
    if last is None:
        raise GateClosed(
            f"The gate {gate} was not decided in this run.",
            where=f"gate {gate}",
            next_action="Run the notebook from its top, so that it looks at the gate first.",
        )
    if last["verdict"] not in GOING_ON:
        tables = ", ".join(last["tables"]) or ", ".join(last["blockers"])
        raise GateClosed(
            f"The gate {gate} is closed ({last['verdict']}): {tables}.",
            where=f"gate {gate}",
            next_action="Repair what is named here, validate again, then come back. Nothing was written.",
        )


def _backfilled(backfills: Sequence[tuple[Plan, BackfillReport]], *, dry_run: bool) -> str:
    """Say what stands against the backfills of a step; empty if nothing does."""
    unfinished = [report for _, report in backfills if not report.succeeded]
    if unfinished and dry_run:
        return f"dry run: {sum(plan.table_dates for plan, _ in backfills)} table-dates are planned and not written"
    if not unfinished:
        return ""
    failed = sum(len(report.failed) for report in unfinished)
    held = sorted({name for report in unfinished for name in report.held_back})
    unsound = [f"{name}: {words}" for report in unfinished for name, words in report.unsound.items()]
    told = [f"{failed} table-dates failed"] if failed else []
    told += [f"written but not sound: {'; '.join(unsound)}"] if unsound else []
    return ", ".join([*told, *([f"held back: {', '.join(held)}"] if held else [])])


def add_up(
    decisions: Sequence[Decision],
    backfills: Sequence[tuple[Plan, BackfillReport]],
    reviewed: Sequence[Mapping[str, Any]],
    *,
    dry_run: bool,
    degraded: str = "",
) -> tuple[Verdict, str]:
    """Add up what a step found: GO only if there is something, and nothing says no.

    Parameters
    ----------
    reviewed : sequence of mapping
        The recorded verdicts of earlier steps, where a step rests on them.
    degraded : str
        What was overridden earlier in the run; a step that would be GO is then DEGRADED.
    """
    closed = [decision for decision in decisions if decision.verdict.value not in GOING_ON]
    if closed:
        marginal = all(decision.verdict is Verdict.MARGINAL for decision in closed)
        said = "; ".join(f"{decision.gate}: {decision.words()}" for decision in closed)
        return (Verdict.MARGINAL if marginal else Verdict.NO_GO), said
    if wrong := _backfilled(backfills, dry_run=dry_run):
        return Verdict.NO_GO, wrong
    if open_steps := [item["step"] for item in reviewed if item["verdict"] not in GOING_ON]:
        return Verdict.NO_GO, f"without GO: {', '.join(open_steps)}"
    if not decisions and not backfills and not reviewed:
        return Verdict.NO_GO, "nothing was checked"
    told = [f"{decision.gate}: {decision.words()}" for decision in decisions]
    if backfills:
        told.append(f"{sum(report.done for _, report in backfills):,} table-dates written and counted")
    if reviewed:
        told.append(f"{len(reviewed)} steps ended in {Verdict.DEGRADED.value if degraded else Verdict.GO.value}")
    known = any(decision.override for decision in decisions)  # its words say so already
    if degraded or known:
        return Verdict.DEGRADED, "; ".join([*told, *([] if known else [degraded])])
    return Verdict.GO, "; ".join(told)
