"""A run's own page: what it is about, how it ended and why, with links to everything that it left behind."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from courtbook.catalog import load_catalog
from courtbook.checks.result import CheckResult, Status
from courtbook.coverage import DateState
from courtbook.evidence.manifest import Manifest, Seal
from courtbook.evidence.record import Run, TableWork
from courtbook.evidence.signatures import Signature, SignOff
from courtbook.report.handoff import why_of
from courtbook.report.layout import percent
from courtbook.report.page import link, moment, render, size
from courtbook.report.pages import Gate, gates_of, honest
from courtbook.report.state_map import state_map
from courtbook.report.tables import ORDER, measured
from courtbook.report.trouble import check_rows, find_trouble, grouped
from courtbook.report.work import duration

Row = Sequence[object]
KEY_PACKAGES = (
    "courtbook",
    "duckdb",
    "google-cloud-bigquery",
    "nbconvert",
    "pandas",
    "papermill",
    "pyarrow",
    "sqlglot",
)
_MOST = 20  # of what may be long: the files have it all


def run_page(run: Run, manifest: Manifest, signatures: Sequence[Signature], sign_off: SignOff) -> str:
    """Return the page of a run.

    Parameters
    ----------
    manifest : Manifest
        The seal that the page is made for: the page shows its digest and lists its files.
    signatures, sign_off : sequence of Signature, SignOff
        As they were judged now.
    """
    sealed = manifest if manifest.kind is Seal.RUN or run.seal is None else run.seal
    gates = gates_of(run)
    results = [result for gate in gates.values() for result in gate.results]
    params_file = f"runs/{run.name}/params.yaml"
    trouble = find_trouble(run, gates, params_file)
    shown = {id(result) for group in (trouble.groups if trouble else ()) for result in group.results}
    others = (result for result in results if result.status is not Status.PASS and id(result) not in shown)
    return render(
        "run.html.j2",
        run=run,
        place=quote(f"runs/{run.name}"),
        manifest=manifest,
        facts=sealed.evidence,
        signatures=signatures,
        sign_off=sign_off.value,
        verdict=honest(run, run.verdict),
        why=why_of(run),
        trouble=trouble,
        steps=list(_steps(run, manifest)),
        coverage=_coverage(run),
        gates=[_gate(gate) for gate in gates.values()],
        statuses=[status.value for status in reversed(ORDER)],
        groups=grouped(others, params_file),
        passed=[(gate.name, rows) for gate in gates.values() if (rows := check_rows(_passed(gate)))],
        work=[_work(item) for item in run.work],
        failed=_failed(run),
        excuses=run.excuses,
        thresholds=[(item.check.id, measured(item)[1]) for item in results if item.overridden],
        params=list(_flat(run.params)),
        tables=_tables(sealed.evidence.get("tables", {})),
        packages=KEY_PACKAGES,
        documents=[link(Path(name).name, name) for name in sorted(manifest.files) if name.startswith("documents")],
        files=_files(manifest),
    )


def _steps(run: Run, manifest: Manifest) -> Iterator[Row]:
    """Yield a row for every attempt, and for every step that was to come and did not."""
    for item in run.attempts:
        place = item.folder.relative_to(run.folder).as_posix()
        names = [name.removeprefix(f"{place}/") for name in manifest.files if name.startswith(f"{place}/")]
        stem = item.notebook.stem
        words = {f"{stem}.html": "page", f"{stem}.ipynb": "notebook", "log.txt": "log", "result.json": "result"}
        shown = [*(name for name in words if name in names), *(name for name in names if name not in words)]
        files = [link(words.get(name, name), f"{place}/{name}") for name in shown]
        who = f"{item.user}@{item.host}"
        took = "" if item.seconds is None else duration(item.seconds)
        yield [item.step, item.verdict, item.why, item.name, moment(item.started), took, who, files]
    begun = {item.step for item in run.attempts}
    planned = next(iter(run.data("run_started")), {}).get("steps", [])
    for step in planned:
        if step not in begun:
            yield [step, "not run", "", "", "", "", "", []]


def _coverage(run: Run) -> dict[str, Any]:
    """Return coverage as it was read first and last: figures, and the two drawings."""
    try:
        before, after = run.coverage(last=False), run.coverage(last=True)
        order = {table.name: place for place, table in enumerate(load_catalog().processed)}
        names = sorted(after, key=lambda name: order.get(name, len(order)))
        before, after = ({name: read[name] for name in names} for read in (before, after))
        states = [s.value for s in DateState if any(item["states"].get(s.value) for item in after.values())]
        rows = [
            [
                name,
                _covered(before[name]),
                _covered(item),
                item["found_rows"],
                item["expected_rows"],
                *(len(item["states"].get(state, ())) for state in states),
            ]
            for name, item in after.items()
        ]
        pictures = [("before", before), ("after", after)] if before != after else [("before and after", after)]
        maps = [(when, found) for when, read in pictures if (found := _map(when, read))]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        return {"problem": f"What was recorded cannot be read: {type(error).__name__}: {error}", "rows": []}
    heads = ["table", "covered before", "covered after", "rows", "of"]
    return {"problem": "", "rows": rows, "heads": [*heads, *states], "maps": maps}


def _covered(item: Mapping[str, Any]) -> str:
    covered, expected = item["covered"], item["expected"]
    return f"{percent(covered / expected)} ({covered:,} of {expected:,})" if expected else "none expected"


def _map(when: str, read: Mapping[str, Mapping[str, Any]]) -> object:
    told = ", ".join(f"{name} {item['covered']} of {item['expected']} dates" for name, item in read.items())
    return state_map({name: item["states"] for name, item in read.items()}, f"Coverage {when}: {told}.")


def _passed(gate: Gate) -> list[CheckResult]:
    return [result for result in gate.results if result.status is Status.PASS]


def _gate(gate: Gate) -> Row:
    found = [result.status for result in gate.results]
    return [gate.name, gate.verdict, gate.words, *(found.count(status) for status in reversed(ORDER))]


def _work(item: TableWork) -> Row:
    rate = round(item.done / item.seconds * 60) if item.seconds else None
    return [item.table, ", ".join(item.executors), item.done, item.failed, item.rows, duration(item.seconds), rate]


def _failed(run: Run) -> tuple[list[Row], int]:
    """Return dates that failed and were not done later, with the reason, and how many more there are."""
    left: dict[tuple[str, str], str] = {}
    for data in run.data("dates"):
        left |= {(data["table"], day): data["why"].get(day, "") for day in data["failed"]}
        for day in data["done"]:
            left.pop((data["table"], day), None)
    rows: list[Row] = [[table, day, why] for (table, day), why in left.items()]
    return rows[:_MOST], len(rows) - _MOST


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield values by dotted key, as ``--set`` takes them."""
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping) and item:
            yield from _flat(item, f"{name}.")
        elif isinstance(item, str):
            yield name, item or "(empty)"
        elif isinstance(item, bool):
            yield name, "yes" if item else "no"
        else:
            yield name, ", ".join(map(str, item)) if isinstance(item, list) and item else str(item or "none")


def _tables(facts: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    before, after = facts.get("before", {}), facts.get("after", {})
    nothing = {"rows": None, "digest": ""}
    rows: list[Row] = []
    for name in {**before, **after}:
        old, new = before.get(name, nothing), after.get(name, nothing)
        said = "not compared" if name not in before or name not in after else "no" if old == new else "yes"
        rows.append([name, old["rows"], new["rows"], old["digest"][:12], new["digest"][:12], said])
    return rows


def _files(manifest: Manifest) -> list[Row]:
    own = manifest.path.name
    found = sorted(manifest.files.items())
    return [
        [link(own, own), "", "this seal"],
        *([link(name, name), size(item["bytes"]), item["sha256"][:12]] for name, item in found),
    ]
