"""Two runs side by side: every aspect in which they can differ, and nothing called equal that nobody recorded."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.record import Run, read_run
from courtbook.report.diff import compare, diff_page, diff_text
from courtbook.report.difference import Comparison, Difference, Part
from made_run import DAYS, check, coverage, make_run

STOPPED = {"preflight": "GO", "phase3_validation": "NO-GO"}
HOSTILE = "Eve </td><script>alert(1)</script> & \x1b[31m\u202e\nnext"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A sealed run that ended in GO. Tests only read it."""
    return read_run(make_run(tmp_path_factory.mktemp("runs")))


def with_facts(run: Run, **changed: Any) -> Run:
    """Return a run with other facts in its manifest; None takes one out."""
    assert run.seal is not None
    facts = {name: value for name, value in {**run.seal.evidence, **changed}.items() if value is not None}
    return replace(run, manifests=(replace(run.seal, evidence=facts),))


def with_environment(run: Run, **changed: Any) -> Run:
    """Return a run made with something else."""
    assert run.seal is not None
    return with_facts(run, environment={**run.seal.evidence["environment"], **changed})


def with_checks(run: Run, *results: Mapping[str, Any]) -> Run:
    """Return a run whose gate found something else."""
    last = run.attempts[-1]
    gate = {**last.result["gates"][0], "results": list(results)}
    return replace(run, attempts=(*run.attempts[:-1], replace(last, result={**last.result, "gates": [gate]})))


def with_event(run: Run, kind: str, **changed: Any) -> Run:
    """Return a run with other data in the events of a kind."""
    events = tuple({**e, "data": {**e["data"], **changed}} if e["kind"] == kind else e for e in run.events)
    return replace(run, events=events)


def part(found: Comparison, title: str) -> Part:
    return next(item for item in found.parts if item.title == title)


def test_a_run_does_not_differ_from_itself(run: Run) -> None:
    found = compare(run, run)
    assert not found.differing
    text = diff_text(found)
    assert "\nnothing differs\n" in text
    assert "parameters (" in text.partition("the same: ")[2]
    assert "cannot be told" not in text


HELD = f"260 rows, {sha256(b'orders').hexdigest()[:12]}"
TABLES = {"orders": {"rows": 259, "digest": "a" * 64}}
Change = Callable[[Run], Run]
CHANGES: dict[str, tuple[str, Change, tuple[str, str, str]]] = {
    "parameter": (
        "Parameters",
        lambda run: replace(run, params={**run.params, "range": {"start": DAYS[0], "end": DAYS[3]}}),
        ("range.end", DAYS[-1], DAYS[3]),
    ),
    "parameter that is not set": (
        "Parameters",
        lambda run: replace(run, params={**run.params, "waivers": {"keys": {"by": "Wim"}}}),
        ("waivers.keys.by", "not set", "Wim"),
    ),
    "commit": ("Code", lambda run: with_environment(run, git_commit="f" * 40), ("commit", "0" * 12, "f" * 12)),
    "changes": (
        "Code",
        lambda run: with_environment(run, git_clean=False),
        ("uncommitted changes", "none", "yes, and which is not recorded"),
    ),
    "lock": ("Code", lambda run: with_environment(run, lock="3" * 64), ("lock file", "1" * 12, "3" * 12)),
    "notebook": (
        "Code",
        lambda run: with_event(run, "attempt_started", source={"sha256": "4" * 64}),
        ("00_preflight.ipynb", "2" * 12, "4" * 12),
    ),
    "python": ("Code", lambda run: with_environment(run, python="3.13.1"), ("python", "3.11.7", "3.13.1")),
    "package changed": (
        "Packages",
        lambda run: with_environment(run, packages={"papermill": "2.8.0"}),
        ("papermill", "2.7.0", "2.8.0"),
    ),
    "package added": (
        "Packages",
        lambda run: with_environment(run, packages={"papermill": "2.7.0", "nbval": "1"}),
        ("nbval", "not there", "1"),
    ),
    "package removed": (
        "Packages",
        lambda run: with_environment(run, packages={"other": "1"}),
        ("papermill", "2.7.0", "not there"),
    ),
    "warehouse": (
        "Warehouse",
        lambda run: with_event(run, "step_opened", warehouse="x"),
        ("warehouse", "duckdb:/data/made.duckdb", "x"),
    ),
    "tables before": (
        "Tables before",
        lambda run: with_facts(run, tables={"before": TABLES, "after": None}),
        ("orders", HELD, f"259 rows, {'a' * 12}"),
    ),
    "table that is gone": (
        "Tables after",
        lambda run: with_facts(run, tables={"after": {"orders": {"rows": None, "digest": ""}}}),
        ("orders", HELD, "no such table"),
    ),
    "verdict": ("Verdict", lambda run: with_event(run, "run_ended", verdict="NO-GO"), ("verdict", "GO", "NO-GO")),
    "override": (
        "Verdict",
        lambda run: with_event(run, "gate", override={"gate": "phase3", "by": "Ann", "reason": "due"}),
        ("overridden gates", "none", "phase3 by Ann: due"),
    ),
    "acceptance": (
        "Verdict",
        lambda run: with_checks(run, check("keys"), check("rows", excuse="Wim: known")),
        ("accepted by name", "nothing", "rows: Wim: known"),
    ),
    "status": (
        "Checks",
        lambda run: with_checks(run, check("keys", status="FAIL", value=0.5), check("rows")),
        ("keys", "PASS 100 % (≥ 99 %)", "FAIL 50 % (≥ 99 %)"),
    ),
    "value": (
        "Checks",
        lambda run: with_checks(run, check("keys", value=0.995), check("rows")),
        ("keys", "PASS 100 % (≥ 99 %)", "PASS 99.5 % (≥ 99 %)"),
    ),
    "threshold": (
        "Checks",
        lambda run: with_checks(run, check("keys", minimum=0.9, overridden=True), check("rows")),
        ("keys", "PASS 100 % (≥ 99 %)", "PASS 100 % (≥ 90 % (overridden))"),
    ),
    "check in one run only": (
        "Checks",
        lambda run: with_checks(run, check("keys"), check("rows"), check("more")),
        ("more", "not run", "PASS 100 % (≥ 99 %)"),
    ),
    "step": (
        "Steps",
        lambda run: replace(run, attempts=run.attempts[:1]),
        ("phase3_validation", "GO in attempt-1", "not run"),
    ),
    "second attempt": (
        "Steps",
        lambda run: replace(run, attempts=(*run.attempts, replace(run.attempts[-1], name="attempt-2"))),
        ("phase3_validation", "GO in attempt-1", "GO in attempt-2"),
    ),
    "rows written": (
        "Backfill",
        lambda run: with_event(run, "dates", rows=39),
        (
            "orders",
            "4 dates, 0 failed, 40 rows, 8.0 dates/s, by sql",
            "4 dates, 0 failed, 39 rows, 8.0 dates/s, by sql",
        ),
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_shows_where_it_belongs(run: Run, change: str) -> None:
    title, edit, (what, a, b) = CHANGES[change]
    found = compare(run, edit(run))
    differing = {item.what: item for item in part(found, title).differences}
    assert what in differing, diff_text(found)
    assert (differing[what].a, differing[what].b) == (a, b)
    assert "nothing differs" not in diff_text(found)


@pytest.mark.parametrize(("seconds", "note"), [(15.2, "SLOWER, 1.52 times"), (14.9, "1.49 times"), (6.0, "0.60 times")])
def test_a_step_that_took_much_longer_is_marked(run: Run, seconds: float, note: str) -> None:
    sides = [replace(run, attempts=(replace(run.attempts[0], seconds=s), *run.attempts[1:])) for s in (10.0, seconds)]
    (found,) = part(compare(*sides), "Time").differences
    assert (found.what, found.note) == ("preflight", note)


def test_a_step_without_an_end_has_no_time(run: Run) -> None:
    ended = replace(run, attempts=(replace(run.attempts[0], seconds=10.0),))
    cut = replace(run, attempts=(replace(run.attempts[0], seconds=None),))
    assert part(compare(ended, cut), "Time").differences == (Difference("preflight", "10 s", "not recorded"),)
    assert part(compare(cut, cut), "Time").unknown == ("preflight",)


def test_worse_checks_come_first_and_better_ones_are_called_so(run: Run) -> None:
    before = with_checks(run, check("a", value=0.999), check("b", status="FAIL"), check("c"))
    after = with_checks(run, check("a"), check("b"), check("c", status="WARN"))
    assert [(d.what, d.note) for d in part(compare(before, after), "Checks").differences] == [
        ("c", "WORSE"),
        ("b", "better"),
        ("a", ""),
    ]


def test_values_that_look_the_same_but_are_not_are_written_out(run: Run) -> None:
    sides = [with_checks(run, check("keys", value=value)) for value in (0.99123456, 0.99123457)]
    (found,) = part(compare(*sides), "Checks").differences
    assert "99.123456 %" in found.a
    assert "99.123457 %" in found.b


def test_digests_with_the_same_beginning_are_written_out(run: Run) -> None:
    digests = ["ab" * 31 + end for end in ("00", "01")]
    sides = [with_facts(run, tables={"after": {"orders": {"rows": 1, "digest": digest}}}) for digest in digests]
    (found,) = part(compare(*sides), "Tables after").differences
    assert (found.a, found.b) == (f"1 rows, {digests[0]}", f"1 rows, {digests[1]}")


def test_counts_alone_make_no_check_differ(run: Run) -> None:
    sides = [with_checks(run, check("keys", value=0.0, numerator=0, denominator=n)) for n in (260, 261)]
    assert not compare(*sides).differing


def test_a_gate_that_one_run_did_not_decide_is_one_difference(run: Run) -> None:
    undecided = replace(run, events=tuple(e for e in run.events if e["kind"] != "gate"))
    (found,) = part(compare(run, undecided), "Verdict").differences
    assert (found.what, found.a, found.b) == ("gate phase3", "GO, 2 checks", "not decided")


def test_dates_whose_coverage_differs_stand_as_ranges(run: Run, tmp_path: Path) -> None:
    other = make_run(tmp_path, "20250102T030405Z-other")
    for file in other.glob("*/attempt-1/coverage.json"):
        content = json.loads(json.dumps(coverage(0)))
        states = content["tables"]["orders"]["states"]
        states["complete"] = [day for day in states["complete"] if day not in (*DAYS[2:7], DAYS[10])]
        states["partial"] = [*DAYS[2:7], DAYS[10]]
        file.write_text(json.dumps(content))
    differences = part(compare(run, read_run(other)), "Coverage at the end").differences
    note = f"{DAYS[2]} .. {DAYS[6]}, {DAYS[10]}"
    assert differences == (Difference("orders: 6 dates", "complete", "partial", note),)


def test_a_table_or_date_that_one_run_did_not_read_is_no_agreement(run: Run, tmp_path: Path) -> None:
    other = make_run(tmp_path, "20250102T030405Z-other")
    for file in other.glob("*/attempt-1/coverage.json"):
        content = coverage(0)
        del content["tables"]["lines"]
        content["tables"]["orders"]["states"]["complete"].pop()
        file.write_text(json.dumps(content))
    found = {item.what: item for item in part(compare(run, read_run(other)), "Coverage at the end").differences}
    assert found["lines"].b == "not read"
    assert (found["orders: 1 dates"].b, found["orders: 1 dates"].note) == ("not in the range", DAYS[-1])


@pytest.mark.parametrize("fact", ["environment", "tables"])
def test_a_fact_that_an_older_version_did_not_record_is_never_called_the_same(run: Run, fact: str) -> None:
    older = with_facts(run, **{fact: None})
    one_sided = compare(run, older)
    assert "not recorded" in diff_text(one_sided)
    assert one_sided.differing
    neither = compare(older, older)
    assert not neither.differing
    assert "nothing that is on record differs" in diff_text(neither)
    titles = {"environment": ["Packages"], "tables": ["Tables before", "Tables after"]}[fact]
    for title in titles:
        assert not part(neither, title).same
        assert part(neither, title).unknown


@pytest.mark.parametrize("name", ["git_commit", "git_clean", "lock", "python", "packages"])
def test_a_part_of_the_environment_that_was_not_recorded_is_said_so(run: Run, name: str) -> None:
    older = with_environment(run, **{name: None})
    found = compare(run, older)
    assert [item.b for item in found.differing[0].differences] == ["not recorded"]
    assert compare(older, older).unknown


def test_a_warehouse_and_coverage_that_were_not_recorded_are_said_so(run: Run) -> None:
    events = tuple(e for e in run.events if e["kind"] not in ("step_opened", "coverage"))
    older = with_facts(replace(run, events=events), warehouse=None)
    found = compare(run, older)
    assert part(found, "Warehouse").differences[0].b == "not recorded"
    assert part(found, "Coverage at the end").differences[0].b == "not recorded"
    assert not part(compare(older, older), "Warehouse").same


def test_uncommitted_changes_on_both_sides_leave_the_code_unknown(run: Run) -> None:
    dirty = with_environment(run, git_clean=False)
    text = diff_text(compare(dirty, dirty))
    assert "nothing that is on record differs" in text
    assert "it cannot be told: uncommitted changes" in text


@pytest.mark.parametrize("steps", [{"preflight": "INTERRUPTED"}, {"phase3_backfill": "GO", "sign_off": "GO"}, STOPPED])
@pytest.mark.parametrize("sealed", [True, False])
def test_runs_that_ended_differently_can_be_compared_either_way(
    run: Run, tmp_path: Path, steps: dict[str, str], sealed: bool
) -> None:
    results = [check("keys", status="FAIL")]
    other = read_run(make_run(tmp_path, "20250102T030405Z-other", steps=steps, checks=results, sealed=sealed))
    for found in (compare(run, other), compare(other, run)):
        assert part(found, "Steps").differences
        assert diff_page(found)
        assert diff_text(found)


def test_a_run_in_which_nothing_began_can_be_compared(run: Run) -> None:
    empty = replace(run, events=(), attempts=(), manifests=(), params={})
    assert part(compare(run, empty), "Parameters").differences
    assert not compare(empty, empty).differing


def stopped(run: Run, tmp_path: Path) -> Comparison:
    """Compare a run with one that ended in NO-GO, with texts that people typed."""
    results = [check(f"keys.{'long' * 8}", status="FAIL", value=0.5), check("rows", status="WARN", excuse=HOSTILE)]
    other = make_run(tmp_path, "20250102T030405Z-other", steps=STOPPED, checks=results, sealed=False)
    Ledger(other / "ledger.jsonl").append("note", text="one event more")
    found = read_run(other)
    return compare(run, replace(found, params={**found.params, "operator": HOSTILE}))


def test_the_text_fits_a_hundred_columns(run: Run, tmp_path: Path) -> None:
    text = diff_text(stopped(run, tmp_path))
    assert max(map(len, text.splitlines())) <= 100
    assert not set(text) & {"\x1b", "\u202e"}
    assert text.splitlines()[:2] == ["A  20250102T030405Z-made (GO)", "B  20250102T030405Z-other (NO-GO)"]


def test_the_page_is_whole_in_itself_and_what_people_typed_stays_text(run: Run, tmp_path: Path) -> None:
    found = stopped(run, tmp_path)
    page = BeautifulSoup(diff_page(found), "html.parser")
    assert not page.find_all(["script", "link", "img", "iframe"])
    assert "Eve </td><script>alert(1)</script>" in page.text
    assert page.html is not None
    assert page.html["lang"] == "en"
    assert page.title is not None
    assert found.words in page.title.text
    assert next(item.name for item in page.find_all(["h1", "h2"])) == "h1"
    targets = {item["id"] for item in page.find_all(id=True)}
    assert {str(link["href"])[1:] for link in page.find_all("a")} <= targets
    tables = page.find_all("table")
    assert len(tables) == len(found.differing)
    assert all(
        table.caption and table.find_all("th", scope="col") and table.find_all("th", scope="row") for table in tables
    )
    assert sum(len(table.select("tbody tr")) for table in tables) == sum(len(p.differences) for p in found.parts)


def test_the_page_of_a_run_with_itself_says_that_nothing_differs(run: Run) -> None:
    page = BeautifulSoup(diff_page(compare(run, run)), "html.parser")
    assert page.h1 is not None
    assert page.h1.text == "Two runs compared: nothing differs"
    assert not page.find_all("table")
