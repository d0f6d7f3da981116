"""A run's own page: what it is about, how it ended and why, with links to everything that it left behind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from jinja2.filters import do_filesizeformat

from courtbook.catalog import Catalog, load_catalog
from courtbook.checks.result import CheckResult, Status, blocks
from courtbook.evidence.manifest import Manifest, Seal
from courtbook.evidence.record import INTERRUPTED, Run, TableWork
from courtbook.evidence.signatures import Signature, SignOff
from courtbook.report.page import flat, link, moment, render
from courtbook.report.pages import COVERAGE_KEY, blockers_of, coverage_of, coverage_rows, gates_of, honest, worst_first
from courtbook.report.state_map import state_map
from courtbook.report.tables import command, measured
from courtbook.report.trouble import shown, what_failed, what_next, why_of
from courtbook.report.work import duration

Row = Sequence[object]
_LOG = 4000  # characters of the end of a log, which the archive holds whole


def run_page(run: Run, manifest: Manifest, signatures: Sequence[Signature], sign_off: SignOff) -> str:
    """Return the page of a run.

    Parameters
    ----------
    manifest : Manifest
        The seal that the page is made for, whose files it lists. The digest that it shows is that of the run's own
        seal, which signatures bind.
    signatures, sign_off : sequence of Signature, SignOff
        As they were judged now.
    """
    sealed = manifest if manifest.kind is Seal.RUN or run.seal is None else run.seal
    catalog, gates = load_catalog(), gates_of(run)
    results = [result for gate in gates.values() for result in gate.results]
    blockers = blockers_of(gates)
    noted = worst_first(item for item in results if item.status is not Status.PASS and not blocks(item))
    params_file = shown(run.folder / "params.yaml")
    return render(
        "run.html.j2",
        run=run,
        place=quote(f"runs/{run.name}"),
        sealed=sealed,
        facts=sealed.evidence,
        signatures=signatures,
        sign_off=sign_off.value,
        verdict=honest(run, run.verdict),
        why=why_of(run),
        failed=what_failed(run),
        next=what_next(run, catalog, blockers),
        log=_log(run),
        steps=list(_steps(run, manifest)),
        **_coverage(run, catalog),
        gates=[[gate.name, gate.verdict, gate.words] for gate in gates.values()],
        blocking=_grouped(blockers, params_file),
        noted=_grouped(noted, params_file),
        passed=[_row(item) for item in results if item.status is Status.PASS],
        work=[_work(item) for item in run.work],
        thresholds=[(item.check.id, measured(item)[1]) for item in results if item.overridden],
        params=list(flat(run.params)),
        tables=_tables(sealed.evidence.get("tables", {})),
        documents=[link(Path(name).name, name) for name in sorted(manifest.files) if name.startswith("documents")],
        files=_files(manifest),
    )


def _grouped(results: Iterable[CheckResult], params_file: str) -> list[tuple[str, str, str, list[Row]]]:
    """Return likely causes, repair, command and rows of checks; those with one cause and one repair stand together."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for item in results:
        key = (item.check.causes, item.check.repair, command(item, params_file))
        found.setdefault(key, []).append(_row(item))
    return [(*key, rows) for key, rows in found.items()]


def _row(item: CheckResult) -> Row:
    said = filter(None, (item.detail, item.excuse and f"accepted: {item.excuse}"))
    return [item.status.value, [item.check.id, item.check.title], *measured(item), "; ".join(said)]


def _log(run: Run) -> str:
    """Return the last lines of the log of a step that was interrupted."""
    logs = [item.folder / "log.txt" for item in run.latest if item.verdict == INTERRUPTED]
    texts = [log.read_text(encoding="utf-8", errors="replace") for log in logs if log.is_file()]
    return texts[0][-_LOG:].partition("\n")[2].strip() if texts else ""


def _steps(run: Run, manifest: Manifest) -> Iterator[Row]:
    """Yield a row for every attempt, and for every step that was to come and did not."""
    for item in run.attempts:
        place = item.folder.relative_to(run.folder).as_posix()
        names = sorted(name for name in manifest.files if name.startswith(f"{place}/"))
        files = [link(Path(name).name, name) for name in names]
        who = f"{item.user}@{item.host}"
        took = "" if item.seconds is None else duration(item.seconds)
        yield [item.step, item.verdict, item.why, item.name, moment(item.started), took, who, files]
    begun = {item.step for item in run.attempts}
    planned = next(iter(run.data("run_started")), {}).get("steps", [])
    yield from ([step, "not run", "", "", "", "", "", []] for step in planned if step not in begun)


def _coverage(run: Run, catalog: Catalog) -> dict[str, Any]:
    """Return coverage as it was read first and last: figures, and a drawing of each."""
    before, after = (coverage_of(run, catalog, last=last) for last in (False, True))
    if not after:
        return {"coverage": []}
    rows, heads = coverage_rows(after)
    coverage = [[*row, before[name]["covered"]] for name, row in zip(after, rows, strict=True)]
    pictures = {"before": before, "after": after} if before != after else {"before and after": after}
    maps = []
    for when, read in pictures.items():
        told = ", ".join(f"{name} {item['covered']} of {item['expected']} dates" for name, item in read.items())
        states = {name: item["states"] for name, item in read.items()}
        maps.append((when, state_map(states, f"Coverage {when}: {told}.")))
    return {"coverage": coverage, "heads": [*heads, "covered before"], "maps": maps, "key": COVERAGE_KEY}


def _work(item: TableWork) -> Row:
    rate = round(item.done / item.seconds * 60) if item.seconds else None
    return [item.table, ", ".join(item.executors), item.done, item.failed, item.rows, duration(item.seconds), rate]


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
    rows = [[link(name, name), do_filesizeformat(item["bytes"]), item["sha256"][:12]] for name, item in found]
    return [[link(own, own), "", "this seal"], *rows]
