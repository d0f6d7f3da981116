"""GO or NO-GO from check results, and the question that every write asks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from courtbook.backfill.runner import BackfillReport
from courtbook.catalog import Check
from courtbook.checks.result import CheckResult, Status, Verdict, blocks, verdict
from courtbook.errors import GateClosed
from courtbook.plan import Plan


@dataclass(frozen=True)
class Decision:
    """What a gate said, and why."""

    gate: str
    verdict: Verdict
    results: tuple[CheckResult, ...]

    @property
    def blockers(self) -> tuple[CheckResult, ...]:
        """Results that stand in the way."""
        return tuple(result for result in self.results if blocks(result))

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """Results that are not as they should be but do not stand in the way."""
        return tuple(result for result in self.results if result.status is Status.WARN)

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that blockers name, in the order of the checks."""
        return tuple(dict.fromkeys(result.check.table for result in self.blockers if result.check.table))

    def words(self) -> str:
        """Return the decision in one sentence."""
        if self.verdict is Verdict.GO:
            noted = f", {len(self.warnings)} with a warning" if self.warnings else ""
            return f"all {len(self.results)} checks passed{noted}"
        if not self.blockers:
            return "not every declared check has reported"
        about = f" in {', '.join(self.tables)}" if self.tables else f": {', '.join(r.check.id for r in self.blockers)}"
        return f"{len(self.blockers)} of {len(self.results)} checks block{about}"

    def record(self) -> dict[str, Any]:
        """Return the decision as the ledger holds it."""
        return {
            "gate": self.gate,
            "verdict": self.verdict.value,
            "checks": len(self.results),
            "blockers": [result.check.id for result in self.blockers],
            "warnings": [result.check.id for result in self.warnings],
            "tables": list(self.tables),
        }


def decide(gate: str, declared: Iterable[Check], results: Iterable[CheckResult]) -> Decision:
    """Decide a gate from the results of its checks."""
    found = tuple(results)
    return Decision(gate, verdict((check.id for check in declared), found), found)


def require_go(gate: str, last: Mapping[str, Any] | None) -> None:
    """Raise unless the last decision on record about a gate is GO.

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
    if last["verdict"] != Verdict.GO.value:
        tables = ", ".join(last["tables"]) or ", ".join(last["blockers"])
        raise GateClosed(
            f"The gate {gate} is closed ({last['verdict']}): {tables}.",
            where=f"gate {gate}",
            next_action="Repair what is named here, validate again, then come back. Nothing was written.",
        )


def add_up(
    decisions: Sequence[Decision],
    backfills: Sequence[tuple[Plan, BackfillReport]],
    reviewed: Sequence[Mapping[str, Any]],
    *,
    dry_run: bool,
) -> tuple[Verdict, str]:
    """Add up what a step found: GO only if there is something, and nothing says no.

    Parameters
    ----------
    reviewed : sequence of mapping
        The recorded verdicts of earlier steps, where a step rests on them.
    """
    closed = [decision for decision in decisions if decision.verdict is not Verdict.GO]
    if closed:
        return Verdict.NO_GO, "; ".join(f"{decision.gate}: {decision.words()}" for decision in closed)
    unfinished = [report for _, report in backfills if not report.succeeded]
    if unfinished and dry_run:
        count = sum(plan.table_dates for plan, _ in backfills)
        return Verdict.NO_GO, f"dry run: {count} table-dates are planned and not written"
    if unfinished:
        failed = sum(len(report.failed) for report in unfinished)
        held = sorted({name for report in unfinished for name in report.held_back})
        return Verdict.NO_GO, f"{failed} table-dates failed" + (f", held back: {', '.join(held)}" if held else "")
    if open_steps := [item["step"] for item in reviewed if item["verdict"] != Verdict.GO.value]:
        return Verdict.NO_GO, f"without GO: {', '.join(open_steps)}"
    if not decisions and not backfills and not reviewed:
        return Verdict.NO_GO, "nothing was checked"
    said = [f"{decision.gate}: {decision.words()}" for decision in decisions]
    if backfills:
        said.append(f"{sum(report.done for _, report in backfills):,} table-dates written and counted")
    if reviewed:
        said.append(f"{len(reviewed)} steps ended in GO")
    return Verdict.GO, "; ".join(said)
