"""What a notebook talks to: one object that reads, plans, writes, checks, records and concludes."""

import json
import os
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from courtbook.audit import make_scope
from courtbook.backfill.process import born
from courtbook.backfill.runner import BackfillReport
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Catalog, Layer, load_catalog
from courtbook.checks.result import Verdict
from courtbook.checks.runner import refuse_unknown_names
from courtbook.coverage import Coverage, read_all
from courtbook.errors import CourtbookError, NoGo, ParameterError, Reason
from courtbook.evidence.bundle import earlier_coverage, new_attempt, sha256, write_json, write_once
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.series import next_free
from courtbook.gates import GOING_ON, Decision, add_up, evaluate
from courtbook.params import Params
from courtbook.params_file import find_params, load_params, project_root
from courtbook.plan import Plan
from courtbook.status import Live, Show, read_status
from courtbook.warehouse.base import Query, Warehouse
from courtbook.warehouse.opening import open_warehouse
from courtbook.warehouse.statement import render
from courtbook.work import Work

ATTEMPT_VARIABLE = "COURTBOOK_ATTEMPT"
RUN_PARAMS = "params.yaml"


def _shown(file: Path) -> str:
    """Return a path as a person would type it in the project's folder."""
    root = project_root(file.parent)
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)


class Step:
    """One step of one run, from the view of its notebook.

    Made by :meth:`Step.open`. Every finding is recorded in the run's ledger at once; :meth:`conclude` adds them up.
    """

    def __init__(
        self,
        name: str,
        params: Params,
        run: Path,
        attempt: Path,
        *,
        warehouse: Warehouse,
        calendar: Calendar,
        params_file: str = "PARAMS",
    ) -> None:
        self.catalog: Catalog = load_catalog()
        self.definition = self.catalog.step(name)
        self.title = self.definition.title
        self.params = params
        self.run = run
        self.attempt = attempt
        self.ledger = Ledger(run / "ledger.jsonl")
        self.warehouse = warehouse
        self.calendar = calendar
        self.params_file = params_file
        self.decisions: list[Decision] = []
        self.backfills: list[tuple[Plan, BackfillReport]] = []
        self.reviewed: list[Mapping[str, Any]] = []
        self.work = Work(name, params, run, attempt, self.ledger, warehouse, calendar, self.catalog)
        self._started = time.monotonic()

    @classmethod
    def open(
        cls, name: str, *, params_file: str, run_dir: str = "", overrides: Mapping[str, Any] | None = None
    ) -> "Step":
        """Begin a step.

        Parameters
        ----------
        name : str
            The step, such as ``phase3_validation``.
        params_file : str
            The params file, by a path from the project's folder or from here.
        run_dir : str
            The run that the step belongs to. Empty: the working run of these parameters, ``runs/working-<name>``,
            in which the notebooks that a person opens one by one share their gates.
        overrides : mapping, optional
            Values by dotted key that replace those of the params file.

        Raises
        ------
        ParameterError
            If the parameters are wrong, before anything is written.
        """
        file = find_params(params_file)
        params = load_params(file, overrides=overrides)
        run = Path(run_dir) if run_dir else project_root(file.parent) / "runs" / f"working-{params.name}"
        refuse_unknown_names(params, load_catalog())
        warehouse = open_warehouse(params)
        asked: list[Query] = []
        warehouse.listener = asked.append
        warehouse.labels = {"run": run.name, "step": name}
        calendar = read_calendar(warehouse, params)  # whatever is wrong is told before a folder is made
        if given := os.environ.get(ATTEMPT_VARIABLE):
            attempt = Path(given)
        else:
            attempt = new_attempt(run, load_catalog().step(name).notebook)
        step = cls(name, params, run, attempt, warehouse=warehouse, calendar=calendar, params_file=_shown(file))
        step.work.put("step_opened", params=params.digest(), warehouse=warehouse.identity, born=born(os.getpid()))
        for query in asked:
            step._asked(query)
        warehouse.listener = step._asked
        if not (run / RUN_PARAMS).exists():
            write_once(run / RUN_PARAMS, params.to_yaml())
        return step

    def _asked(self, query: Query) -> None:
        self.work.put("query", **asdict(query))

    def facts(self) -> dict[str, str]:
        """Return what a reader needs to know first."""
        days = self.calendar.days
        return {
            "run": self.run.name,
            "attempt": self.attempt.name,
            "range": f"{self.params.range.start} to {self.params.range.end}",
            "game dates": f"{len(days)}, {len(self.calendar.dates(after_bootstrap=True))} outside the bootstrap",
            "warehouse": self.warehouse.identity,
            "operator": self.params.operator or "not named",
            "mode": "dry run: nothing is written" if self.params.dry_run else "writes into the warehouse",
        }

    @property
    def degraded(self) -> str:
        """What was overridden in this run so far, in words that every later step shows; empty if nothing was."""
        for event in self.ledger.events():
            if event["kind"] == "gate" and (given := event["data"].get("override")):
                return f"DEGRADED: gate {given['gate']} was overridden by {given['by']}: {given['reason']}"
        return ""

    def coverage(self, *layers: Layer) -> dict[str, Coverage]:
        """Read the coverage of the tables of some layers, by default of both."""
        wanted = layers or (Layer.PHASE3, Layer.PHASE4)
        read = read_all(
            self.warehouse, [table for layer in wanted for table in self.catalog.layer(layer)], self.calendar
        )
        file = next_free(self.attempt, "coverage.json")
        write_json(file, {"tables": {name: item.states() for name, item in read.items()}})
        self.work.put(
            "coverage",
            file=file.relative_to(self.run).as_posix(),
            tables={name: [len(item.covered), len(item.target)] for name, item in read.items()},
        )
        return read

    def check(self, gate: str) -> Decision:
        """Run the checks of a gate, decide it and put the decision on record."""
        decision = evaluate(gate, make_scope(self.warehouse, self.calendar, self.params, [gate]))
        self.decisions.append(decision)
        self.work.put("gate", scope=self.params.judged(), **decision.record(), results=decision.outcomes())
        return decision

    def plan(
        self, layer: Layer, coverage: Mapping[str, Coverage], only: Collection[date] = (), table: str = ""
    ) -> Plan:
        """Plan what a layer lacks, or a single repair; see :meth:`courtbook.work.Work.plan`."""
        return self.work.plan(layer, coverage, only, table)

    def backfill(self, plan: Plan, show: Show | None = None) -> BackfillReport:
        """Run a plan; refused unless the gate of this step was decided GO in this run.

        Parameters
        ----------
        show : callable, optional
            Makes something to display of the run's status; it is shown once and brought up to date as work goes on.
        """
        gate = self.catalog.gates.get(self.definition.name)
        if gate is None:
            raise ParameterError(
                "This step does not write.",
                where=self.definition.notebook,
                next_action="Backfill from 10_phase3_backfill or 30_phase4_backfill.",
            )
        if self.params.dry_run:
            report = BackfillReport(held_back=[task.table.name for task in plan.tasks if task.dates])
            print("dry run: nothing was written")  # noqa: T201 - a notebook's log
        else:
            live = Live(show, lambda: read_status(self.run, self.ledger)) if show else None
            report = self.work.backfill(plan, gate, live.tick if live else lambda: None)
            if live:
                live.tick(last=True)
        self.backfills.append((plan, report))
        return report

    def stop_unless_done(self, report: BackfillReport) -> None:
        """End the step here if not everything that was planned was written and counted."""
        if not (report.succeeded or self.params.dry_run):
            self.conclude()

    def query(self, name: str, **values: Any) -> Any:
        """Run one of the domain's display queries over the range and return a DataFrame."""
        defaults = {**self.calendar.values(self.calendar.dates()), "bootstrap_days": self.params.bootstrap_days}
        return self.warehouse.query(render(self.catalog.domain, f"views/{name}.sql"), {**defaults, **values})

    def filled(self, table: str) -> Any:
        """Return a DataFrame with the share of rows in which each column of a table has a value: a row a month."""
        wanted = self.catalog.tables[table]
        statement = render(self.catalog.domain, "profile.sql", table=wanted, checks=[], columns=list(wanted.fill))
        frame = self.warehouse.query(statement, self.calendar.values(self.calendar.dates())).set_index("month")
        counts = frame.filter(like="filled_").rename(columns=lambda name: name.removeprefix("filled_"))
        return counts.div(frame["row_count"], axis="index")

    def history(self) -> list[Mapping[str, Any]]:
        """Return what the ledger holds about concluded steps of this run, oldest first."""
        return [event["data"] for event in self.ledger.events() if event["kind"] == "step_concluded"]

    def recorded(self) -> dict[tuple[str, str], str]:
        """Return the last recorded status of every check of this run, by gate and id."""
        found: dict[tuple[str, str], str] = {}
        for item in self.history():
            notebook = self.catalog.step(item["step"]).notebook
            result = json.loads((self.run / notebook / item["attempt"] / "result.json").read_text(encoding="utf-8"))
            found |= {
                (gate["gate"], check["id"]): check["status"] for gate in result["gates"] for check in gate["results"]
            }
        return found

    def review(self) -> list[Mapping[str, Any]]:
        """Return the last verdict of every earlier step of this run; a step without one is INTERRUPTED.

        All of them must be GO for this step to be GO. A verdict counts only for the warehouse, range and rules of this
        step, and only while no later attempt at its step was begun.
        """
        events = self.ledger.events()
        begun = {item["data"]["step"]: item["data"]["attempt"] for item in events if item["kind"] == "step_opened"}
        last = {
            item["step"]: item
            for item in self.history()
            if item.get("scope") == self.params.judged() and item["attempt"] == begun.get(item["step"])
        }
        names = [step.name for step in self.catalog.steps]
        earlier = names[names.index(self.params.first_step) : names.index(self.definition.name)]
        absent = {
            "attempt": "none",
            "verdict": Verdict.INTERRUPTED.value,
            "why": "no verdict on record",
            "seconds": 0.0,
        }
        self.reviewed = [last.get(name, {"step": name, **absent}) for name in earlier]
        return self.reviewed

    def stop_unless_go(self, decision: Decision) -> None:
        """End the step here if a gate is closed."""
        if decision.verdict.value not in GOING_ON:
            self.conclude()

    def baseline(self) -> tuple[str, Mapping[str, Any]] | None:
        """Return name and recorded coverage of the last earlier run of these parameters, None if there is none."""
        return earlier_coverage(self.run, self.params.name)

    def write_page(self, name: str, text: str) -> Path:
        """Write a text page into the folder of this attempt; a cell that runs again writes another one."""
        path = next_free(self.attempt, name)
        write_once(path, text)
        return path

    def verdict(self) -> tuple[Verdict, str]:
        """Add up what this step found so far, and say why."""
        return add_up(
            self.decisions, self.backfills, self.reviewed, dry_run=self.params.dry_run, degraded=self.degraded
        )

    def conclude(self) -> None:
        """Write ``result.json``, record the verdict and stop the notebook here if it is NO-GO.

        Raises
        ------
        NoGo
            If the verdict is neither GO nor DEGRADED.
        CourtbookError
            If this attempt was concluded before: a verdict is never overwritten.
        """
        if (self.attempt / "result.json").exists():
            raise CourtbookError(
                Reason.NO_GATE,
                "This attempt has its verdict already.",
                where=str(self.attempt),
                next_action="Run the notebook from its top: that begins a new attempt.",
            )
        verdict, why = self.verdict()
        seconds = round(time.monotonic() - self._started, 2)
        result = {
            "step": self.definition.name,
            "verdict": verdict.value,
            "why": why,
            "attempt": self.attempt.name,
            "seconds": seconds,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "params": self.params.digest(),
            "dry_run": self.params.dry_run,
            "gates": [decision.record(results=True) for decision in self.decisions],
            "backfills": [{"planned": plan.table_dates, **report.record()} for plan, report in self.backfills],
            "reviewed": {item["step"]: item["verdict"] for item in self.reviewed},
            "degraded": self.degraded,
        }
        write_json(self.attempt / "result.json", result)
        self.work.put(
            "step_concluded",
            result=sha256(self.attempt / "result.json"),
            scope=self.params.judged(),
            verdict=verdict.value,
            why=why,
            seconds=seconds,
        )
        if verdict.value not in GOING_ON:
            blockers = [result for decision in self.decisions for result in decision.blockers]
            repair = blockers[0].check.repair if blockers else "See the table above."
            raise NoGo(f"{verdict.value}: {why}.", where=self.definition.notebook, next_action=repair)
