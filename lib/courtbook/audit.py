"""All checks of some gates over a warehouse, read-only: what the notebooks and ``courtbook check`` share."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import load_catalog
from courtbook.checks.result import Verdict
from courtbook.checks.runner import refuse_unknown_names
from courtbook.checks.scope import Scope
from courtbook.evidence.bundle import recorded_values
from courtbook.gates import Decision, evaluate
from courtbook.params import Params
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.opening import open_warehouse


def make_scope(warehouse: Warehouse, calendar: Calendar, params: Params, gates: Iterable[str]) -> Scope:
    """Return what the checks of some gates look at; reads the baseline run if the parameters name one."""
    declared = [check for gate in gates for check in load_catalog().checks_of(gate)]
    recorded = recorded_values(Path(params.baseline)) if params.baseline else None
    return Scope(load_catalog(), warehouse, calendar, params, declared=declared, recorded=recorded)


@dataclass(frozen=True)
class Audit:
    """The decisions over some gates, and what they cost: statements, and seconds."""

    decisions: tuple[Decision, ...]
    queries: int
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """GO only if every gate says so; otherwise what the worst of them says."""
        order = list(Verdict)
        return max((decision.verdict for decision in self.decisions), key=order.index)

    def words(self) -> str:
        """Return the cost in one line."""
        checks = sum(len(decision.results) for decision in self.decisions)
        return f"{checks} checks in {self.queries} queries, {self.seconds:.1f} s"

    def record(self) -> dict[str, Any]:
        """Return the audit as the command prints it."""
        return {
            "verdict": self.verdict.value,
            "queries": self.queries,
            "seconds": round(self.seconds, 3),
            "gates": [decision.record(results=True) for decision in self.decisions],
        }


def run_audit(params: Params, gates: Iterable[str]) -> Audit:
    """Run all checks of some gates; nothing is written, not even a ledger."""
    started, wanted = time.monotonic(), tuple(gates)
    refuse_unknown_names(params, load_catalog())
    warehouse = open_warehouse(params)
    with warehouse.session():
        scope = make_scope(warehouse, read_calendar(warehouse, params), params, wanted)
        decisions = tuple(evaluate(gate, scope) for gate in wanted)
    return Audit(decisions, warehouse.queries, time.monotonic() - started)
