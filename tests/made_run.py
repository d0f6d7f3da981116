"""A run made by hand in milliseconds, in the form that real ones have."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from courtbook.catalog import load_catalog
from courtbook.evidence.bundle import sha256, write_json, write_once
from courtbook.evidence.cells import cells_digest
from courtbook.evidence.ledger import Ledger, canonical_json
from courtbook.evidence.manifest import Seal, seal
from courtbook.evidence.truth import tell_truth
from courtbook.params import OverrideParams, Params, RangeParams, WaiverParams
from courtbook.params_warehouse import WarehouseParams

DAYS = tuple(f"2024-11-{day:02d}" for day in range(4, 30))
CHECK = {
    "title": "Rows have a key",
    "table": "orders",
    "severity": "critical",
    "status": "PASS",
    "numerator": 100.0,
    "denominator": 100.0,
    "value": 1.0,
    "unit": "fraction",
    "minimum": 0.99,
    "floor": None,
    "maximum": None,
    "overridden": False,
    "excuse": "",
    "rule": "filled keys of all rows",
    "source": "runbook",
    "why": "",
    "causes": "a job wrote rows without keys",
    "repair": "Backfill the dates.",
    "command": "courtbook run PARAMS",
    "detail": "",
    "dates": [],
    "sql": "SELECT 1",
    "job": "local-1-1",
    "seconds": 0.01,
}


WORK: dict[str, object] = {"planned": 4, "done": 4, "held_back": [], "unsound": {}, "errors": {}}


def check(name: str, **changed: object) -> dict[str, Any]:
    """Return the record of a check that passed, with some of it changed."""
    return {**CHECK, "id": name, **changed}


def coverage(missing: int) -> dict[str, Any]:
    """Return the coverage of two tables of which some dates are missing."""
    states = {"complete": list(DAYS[missing:]), "missing": list(DAYS[:missing]), "empty by rule": ["2024-11-02"]}
    figures = {
        "covered": len(DAYS) - missing,
        "expected": len(DAYS),
        "expected_rows": 260,
        "found_rows": 260 - 10 * missing,
    }
    return {"tables": {name: {**figures, "states": states} for name in ("orders", "lines")}}


def executed(step: str, verdict: str) -> nbformat.NotebookNode:
    """Return an executed notebook: one cell that ran, or was cut off."""
    cell = nbformat.v4.new_code_cell("1 + 1", id="sum")
    cell.metadata["courtbook"] = {"state": "running"}
    if verdict != "INTERRUPTED":
        cell.metadata["courtbook"] = {"state": "done"}
        cell.execution_count = 1
        cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(f"# {step}", id="title"), cell])


def make_run(
    runs: Path,
    name: str = "20250102T030405Z-made",
    *,
    steps: Mapping[str, str] | None = None,
    checks: list[dict[str, Any]] | None = None,
    override: Mapping[str, str] | None = None,
    operator: str = "Olga Operator",
    sealed: bool = True,
) -> Path:
    """Make a run.

    Parameters
    ----------
    steps : mapping
        Verdict by step name, in order; the last one is the run's.
    checks : list
        The checks of the gate ``phase3``, decided in the second step.
    """
    run = runs / name
    run.mkdir(parents=True)
    verdicts = dict(steps or {"preflight": "GO", "phase3_validation": "GO"})
    params = Params(
        name="made",
        operator=operator,
        dry_run=False,
        warehouse=WarehouseParams(path="/data/made.duckdb"),
        range=RangeParams.model_validate({"start": DAYS[0], "end": DAYS[-1]}),
        override=OverrideParams.model_validate(override) if override else None,
        waivers={
            item["id"]: WaiverParams.model_validate({"by": "Wim", "reason": "known", "until": "2025-12-31"})
            for item in checks or ()
            if item["excuse"]
        },
    )
    write_once(run / "params.yaml", params.to_yaml())
    results = checks if checks is not None else [check("keys"), check("rows", severity="warning")]
    ledger, catalog = Ledger(run / "ledger.jsonl"), load_catalog()
    ledger.append(
        "run_started",
        params=params.digest(),
        parameters=params.model_dump(mode="json"),
        steps=list(verdicts),
        operator=operator,
        declared={"phase3": {item["id"]: item["severity"] for item in results}},
    )
    for place, (step, said) in enumerate(verdicts.items()):
        folder = run / catalog.step(step).notebook / "attempt-1"
        folder.mkdir(parents=True)
        about = {"step": step, "attempt": "attempt-1"}
        notebook = folder / f"{folder.parent.name}.ipynb"
        notebook.write_text(nbformat.writes(executed(step, said)))
        told = {"sha256": "2" * 64, "cells": cells_digest(notebook)}
        ledger.append("attempt_started", **about, notebook=notebook.name, source=told)
        ledger.append("step_opened", **about, params=params.digest(), warehouse="duckdb:/data/made.duckdb", born="x 1")
        file = folder / "coverage.json"
        write_json(file, coverage(4 if place == 0 else 0))
        ledger.append("coverage", **about, file=file.relative_to(run).as_posix(), tables={})
        if place == 0:
            ledger.append(
                "dates",
                **about,
                table="orders",
                executor="sql",
                done=list(DAYS[:4]),
                failed=[],
                why={},
                rows=40,
                seconds=0.5,
            )
        gates = []
        if step == "phase3_validation":
            blockers = [item["id"] for item in results if item["status"] in ("FAIL", "ERROR")]
            warned = [item["id"] for item in results if item["status"] == "WARN"]
            gate = {
                "gate": "phase3",
                "verdict": said,
                "checks": len(results),
                "blockers": blockers,
                "warnings": warned,
                "excused": {},
                "thresholds": [],
                "tables": [],
                "override": override,
            }
            told = {item["id"]: item["status"] for item in results}
            ledger.append("gate", **about, scope=params.judged(), **gate, results=told)
            gates = [{**gate, "words": "all critical checks passed", "results": results}]
        result = {
            **about,
            "verdict": said,
            "why": "phase3: all critical checks passed",
            "seconds": 1.5,
            "time": "2025-01-02T03:04:09+00:00",
            "params": params.digest(),
            "dry_run": False,
            "gates": gates,
            "backfills": [] if gates else [{**WORK, "failed": 0 if said in ("GO", "DEGRADED") else 1}],
            "reviewed": {},
            "degraded": "DEGRADED: a gate was overridden" if said == "DEGRADED" else "",
        }
        (folder / "log.txt").touch()
        notebook.with_suffix(".html").write_text(f"<!doctype html><title>{step}</title>\n")
        if said != "INTERRUPTED":
            write_json(folder / "result.json", result)
            ledger.append(
                "step_concluded",
                **about,
                scope=params.judged(),
                verdict=said,
                why=result["why"],
                seconds=1.5,
                result=sha256(folder / "result.json"),
            )
        why = result["why"] if said != "INTERRUPTED" else "the kernel died"
        cells = [[c.id, c.state.value, c.count, c.outputs] for c in tell_truth(notebook, notebook, said, why)]
        ledger.append("attempt_ended", **about, verdict=said, why=why, status=0, cells=cells, sha256=sha256(notebook))
    ledger.append("run_ended", verdict=list(verdicts.values())[-1], steps=len(verdicts))
    if sealed:
        tables = {"orders": {"rows": 260, "digest": hashlib.sha256(b"orders").hexdigest()}}
        facts = {
            "verdict": list(verdicts.values())[-1],
            "sources": {},
            "warehouse": "duckdb:/data/made.duckdb",
            "tables": {"before": tables, "after": tables},
            "environment": {
                "git_commit": "0" * 40,
                "git_clean": True,
                "lock": "1" * 64,
                "python": "3.11.7",
                "platform": "Linux",
                "packages": {"papermill": "2.7.0"},
            },
        }
        seal(run, Seal.RUN, facts, lambda manifest: f"<!doctype html><title>{manifest.digest}</title>\n")
    return run


def rewrite(run: Path, events: list[dict[str, Any]]) -> None:
    """Write other events with a new chain of hashes: what somebody does who knows the library."""
    text, previous = "", "0" * 64
    for event in events:
        event.pop("hash", None)
        event["previous"] = previous
        previous = hashlib.sha256(canonical_json(event).encode()).hexdigest()
        text += canonical_json({**event, "hash": previous}) + "\n"
    (run / "ledger.jsonl").write_text(text)


def load(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text())
