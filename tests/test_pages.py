"""The archive for readers: a run's own page, the page of all runs, and executed notebooks as HTML."""

import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat
import pytest
from bs4 import BeautifulSoup
from courtbook.errors import CourtbookError
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import Seal, seal
from courtbook.evidence.record import read_run
from courtbook.evidence.signatures import Meaning, Signature, SignOff, Standing
from courtbook.report.html import export_notebook
from courtbook.report.index_page import read_entry, write_index
from courtbook.report.page import moment
from courtbook.report.run_page import run_page
from courtbook.report.state_map import state_map
from made_run import DAYS, check, make_run

EVIL = """<script>alert(1)</script><img src=x onerror="alert(2)">'"&lt;"""
FACTS = {
    "verdict": "GO",
    "sources": {"00_preflight.ipynb": {"sha256": "a" * 64, "cells": "b" * 64}},
    "warehouse": "duckdb:/data/made.duckdb",
    "secrets": {"looked_for": [], "not_found": ["env:GONE"], "in": ["a/log.txt"]},
    "notes": ["no fingerprints of the tables at the end: it is gone"],
    "tables": {
        "before": {
            "orders": {"rows": 220, "digest": "c" * 64},
            "lines": {"rows": 5, "digest": "e" * 64},
            "late": {"rows": None, "digest": ""},
        },
        "after": {
            "orders": {"rows": 260, "digest": "d" * 64},
            "lines": {"rows": 5, "digest": "e" * 64},
            "late": {"rows": 7, "digest": "f" * 64},
        },
    },
    "environment": {
        "git_commit": "0" * 40,
        "git_clean": False,
        "lock": "1" * 64,
        "python": "3.11.7",
        "platform": "Linux",
        "packages": {"papermill": "2.7.0"},
    },
}
FAILED = {
    "status": "FAIL",
    "value": 0.5,
    "numerator": 13.0,
    "denominator": 26.0,
    "detail": "2024-11-04 .. 2024-11-07",
    "dates": list(DAYS[:4]),
    "causes": "a job that never ran",
    "command": "courtbook backfill PARAMS --set range.start=DAY --set range.end=DAY",
}


def signature(number: int, name: str, meaning: Meaning, standing: Standing, **changed: Any) -> Signature:
    about = {"role": "engineer", "comment": "", "time": "2025-01-03T00:00:00+00:00", "fingerprint": "SHA256:abc"}
    told = {**about, "file": f"signatures/{number:02d}-{meaning.value}.json", **changed}
    return Signature(number, name, meaning=meaning, standing=standing, **told)


def page_of(
    run: Path,
    signatures: Sequence[Signature] = (),
    off: SignOff = SignOff.UNSIGNED,
    *,
    kind: Seal = Seal.RUN,
    facts: Mapping[str, Any] = FACTS,
) -> BeautifulSoup:
    """Seal a made run with its page, and return the page."""
    seal(run, kind, facts, lambda manifest: run_page(read_run(run), manifest, signatures, off))
    newest = max(run.glob("index*.html"), key=lambda path: len(path.name))
    return BeautifulSoup(newest.read_text(encoding="utf-8"), "html.parser")


def words(item: Any) -> str:
    """Return the text of a part of a page as a reader sees it."""
    return " ".join(item.get_text(" ").split())


def assert_inert(page: BeautifulSoup) -> None:
    """Nothing in a page runs, or loads anything from elsewhere."""
    assert not page.select("script, iframe, object, embed, link, base, form")
    for tag in page.find_all(True):
        assert not [name for name in tag.attrs if name.lower().startswith("on")], tag.name
        assert tag.get("src", "data:").startswith("data:")
        assert not tag.get("href", "").startswith(("http", "//", "javascript"))
    policy = page.select_one("meta[http-equiv=Content-Security-Policy]")
    assert policy is not None
    assert policy["content"].startswith("default-src 'none'")


def add_attempt(run: Path, step: str, notebook: str, number: int, verdict: str, why: str) -> Path:
    """Put another attempt at a step on record."""
    folder = run / notebook / f"attempt-{number}"
    folder.mkdir(parents=True)
    ledger, about = Ledger(run / "ledger.jsonl"), {"step": step, "attempt": folder.name}
    ledger.append("attempt_started", **about)
    ledger.append(
        "attempt_ended",
        **about,
        verdict=verdict,
        why=why,
        status=1,
        cells=[["sum", "interrupted", 1, 0], ["end", "not run", None, 0]],
    )
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BeautifulSoup]:
    """A run that ended in GO and was signed, and its page."""
    run = make_run(tmp_path_factory.mktemp("good"), sealed=False)
    signed = (
        signature(1, "Olga Operator", Meaning.EXECUTED, Standing.VALID),
        signature(2, "Rita Reviewer", Meaning.APPROVED, Standing.VALID, comment="every warning looked at"),
        signature(3, "Mallory", Meaning.REVIEWED, Standing.UNAUTHENTICATED, why="no signers file names this key"),
    )
    return run, page_of(run, signed, SignOff.SIGNED_OFF)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BeautifulSoup]:
    """A run that ended in NO-GO, and its page."""
    checks = [
        check("keys"),
        check("rows.orders", **FAILED),
        check("rows.lines", **FAILED),
        check("old", severity="warning", status="WARN", value=0.9, detail="2024-11-09"),
        check("known", severity="warning", status="WARN", excuse="waived by Ann until 2030-01-01: holidays"),
        check("loose", minimum=0.1, overridden=True),
    ]
    steps = {"preflight": "GO", "phase3_validation": "NO-GO"}
    run = make_run(tmp_path_factory.mktemp("bad"), steps=steps, checks=checks, sealed=False)
    return run, page_of(run)


def section(page: BeautifulSoup, name: str) -> Any:
    found = page.select_one(f"section#{name}")
    assert found is not None, name
    return found


def test_the_page_says_first_what_the_run_is_worth_and_who_says_so(good: tuple[Path, BeautifulSoup]) -> None:
    run, page = good
    manifest = json.loads((run / "manifest.json").read_text())
    banner = words(page.select_one(".banner"))
    assert banner.startswith(f"✓ GO {run.name}")
    assert "SIGNED OFF" in banner
    assert manifest["digest"] in banner
    assert f"{DAYS[0]} to {DAYS[-1]}" in banner
    assert "executed by Olga Operator, engineer, 2025-01-03 00:00:00 UTC: ✓ valid" in banner
    assert "reviewed by Mallory, engineer, 2025-01-03 00:00:00 UTC: ! unauthenticated" in banner
    assert "Operator Olga Operator unauthenticated" in banner
    assert page.title is not None
    assert page.title.string == f"GO · {run.name} · courtbook"
    assert f"courtbook verify runs/{run.name}" in words(section(page, "signatures"))
    assert "no signers file names this key" in words(section(page, "signatures"))
    assert not page.select("section#trouble")


def test_every_link_of_the_page_leads_to_a_file_of_the_run(good: tuple[Path, BeautifulSoup]) -> None:
    run, page = good
    links = [unquote(str(a["href"])) for a in page.select("main a[href]") if not str(a["href"]).startswith("#")]
    own = [link for link in links if not link.startswith(("../", "signatures/"))]
    assert [link for link in own if not (run / link).is_file()] == []
    listed = {link for link in own if "/" in link or link.endswith((".jsonl", ".yaml"))}
    on_disk = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert on_disk - listed == {"manifest.json", "index.html"}, "every sealed file is linked"
    assert {a["href"] for a in page.select("nav a")} <= {f"#{item['id']}" for item in page.select("section[id]")}


def test_sections_come_in_the_order_in_which_a_reviewer_asks(bad: tuple[Path, BeautifulSoup]) -> None:
    _, page = bad
    assert [item["id"] for item in page.select("main > section")] == [
        "trouble",
        "signatures",
        "steps",
        "coverage",
        "checks",
        "work",
        "accepted",
        "parameters",
        "environment",
        "tables",
        "files",
    ]


def test_a_failed_run_tells_first_what_failed_and_what_to_type(bad: tuple[Path, BeautifulSoup]) -> None:
    run, page = bad
    told = words(section(page, "trouble"))
    assert told.startswith("What failed first phase3_validation ended in NO-GO")
    assert "a job that never ran" in told
    assert "50.0 %" in told
    assert "13 / 26" in told
    repair = f"courtbook backfill {run}/params.yaml --set range.start=2024-11-04 --set range.end=2024-11-07"
    assert "First repair what rows.orders found: Backfill the dates." in told.partition("Next action")[2]
    assert f"{repair} courtbook run --resume {run}" in told
    assert "2 checks in the way" in told, "checks with one cause and one repair stand together"
    checks = words(section(page, "checks"))
    assert "rows.orders" not in checks, "what stands on top is not told twice"
    assert checks.index("old") < checks.index("keys"), "what did not pass comes before what passed"
    assert "What did not pass and is not in the way" in checks
    folded = [words(item.select_one("summary")) for item in page.select("#checks details")]
    assert folded == ["2 passed"]
    assert not page.select("#checks details[open]")


def test_what_was_accepted_by_name_or_changed_is_told(bad: tuple[Path, BeautifulSoup]) -> None:
    told = words(section(bad[1], "accepted"))
    assert "known : waived by Ann until 2030-01-01: holidays" in told
    assert "loose : ≥ 10 % (overridden)" in told
    assert "unauthenticated" in told


def test_coverage_is_a_table_and_two_drawings_with_words(good: tuple[Path, BeautifulSoup]) -> None:
    _, page = good
    found = section(page, "coverage")
    assert "lines 26 26 100.0 % 26 260 260 22" in words(found)
    drawn = [svg["aria-label"] for svg in found.select("svg")]
    assert drawn == [
        "Coverage before: lines 22 of 26 dates, orders 22 of 26 dates.",
        "Coverage after: lines 26 of 26 dates, orders 26 of 26 dates.",
    ]
    assert "missing: 8" in words(found.select("figure")[0])
    assert "missing" not in words(found.select("figure")[1])


def test_work_environment_and_tables_are_told(good: tuple[Path, BeautifulSoup]) -> None:
    _, page = good
    assert "orders sql 4 0 40 0.5 s 480" in words(section(page, "work"))
    made = words(section(page, "environment"))
    assert "duckdb:/data/made.duckdb" in made
    assert f"{'0' * 40} , with changes that were not committed" in made
    assert "papermill 2.7.0" in made
    assert "✗ FAIL : something that looks like one is in a/log.txt" in made
    assert "could not be read: env:GONE" in made
    assert "! WARN : no fingerprints of the tables at the end: it is gone" in words(section(page, "tables"))
    rows = [words(row) for row in section(page, "tables").select("tbody tr")]
    assert rows == [
        f"orders 220 260 {'c' * 12} {'d' * 12} yes",
        f"lines 5 5 {'e' * 12} {'e' * 12} no",
        f"late – 7 {'f' * 12} yes",
    ]
    assert "warehouse.path /data/made.duckdb" in words(section(page, "parameters"))


def test_text_of_others_is_shown_and_never_markup(tmp_path: Path) -> None:
    override = {"gate": "phase3", "by": EVIL, "reason": EVIL}
    hostile = {
        "title": EVIL,
        "detail": EVIL,
        "causes": EVIL,
        "repair": EVIL,
        "command": f"courtbook '{EVIL}'",
        "excuse": EVIL,
    }
    checks = [check("keys"), check(EVIL, status="FAIL", **hostile)]
    steps = {"preflight": "GO", "phase3_validation": "DEGRADED"}
    run = make_run(tmp_path, steps=steps, checks=checks, override=override, operator=EVIL, sealed=False)
    (run / "a <b> & ünïcode #1?.txt").write_text(EVIL)
    signed = (
        signature(
            1,
            EVIL,
            Meaning.REJECTED,
            Standing.INVALID,
            role=EVIL,
            comment=EVIL,
            time=EVIL,
            why=EVIL,
            fingerprint=EVIL,
            file=EVIL,
        ),
    )
    facts = {**FACTS, "warehouse": EVIL, "tables": {"before": {EVIL: {"rows": 1, "digest": EVIL}}, "after": {}}}
    page = page_of(run, signed, SignOff.BROKEN, facts=facts)
    assert_inert(page)
    assert page.get_text().count("<script>alert(1)</script>") > 15
    assert not page.select("img, b")
    link = next(a for a in page.select("#files a") if "ünïcode" in a.get_text())
    assert (run / unquote(str(link["href"]))).is_file()
    assert "#" not in str(link["href"])


def test_a_run_behind_an_overridden_gate_never_reads_as_go(tmp_path: Path) -> None:
    override = {"gate": "phase3", "by": "Dora", "reason": "deadline"}
    steps = {"preflight": "GO", "phase3_validation": "DEGRADED", "sign_off": "GO"}
    run = make_run(tmp_path, steps=steps, override=override, sealed=False)
    page = page_of(run)
    banner = words(page.select_one(".banner"))
    assert banner.startswith(f"▼ DEGRADED {run.name}")
    assert "overridden by Dora unauthenticated : deadline. Nothing here may be read as GO." in banner
    assert "degraded" in page.select_one(".banner")["class"]  # type: ignore[index]


def test_all_attempts_are_listed_and_steps_that_never_began(tmp_path: Path) -> None:
    run = make_run(tmp_path, steps={"preflight": "GO", "phase3_validation": "INTERRUPTED"}, sealed=False)
    (run / "documents").mkdir()
    (run / "documents" / "handoff.md").touch()
    again = add_attempt(run, "phase3_validation", "20_phase3_validation", 2, "INTERRUPTED", "the kernel died again")
    (again / "log.txt").write_text("x" * 9000 + "\nMemoryError: Ünable\n", encoding="utf-8")
    Ledger(run / "ledger.jsonl").append("run_ended", verdict="INTERRUPTED", steps=2)
    page = page_of(run)
    rows = [[words(cell) for cell in row.select("th, td")][:4] for row in section(page, "steps").select("tbody tr")]
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("preflight", "✓ GO", "attempt-1"),
        ("phase3_validation", "… INTERRUPTED", "attempt-1"),
        ("phase3_validation", "… INTERRUPTED", "attempt-2"),
    ]
    assert [str(a["href"]) for a in section(page, "steps").select("p a")] == ["documents/handoff.md"]
    told = words(section(page, "trouble"))
    assert "the kernel died again" in told
    assert "cell interrupted: sum cell not run: end" in told
    assert "MemoryError: Ünable" in told
    assert len(told) < 6000, "of a long log only the end is shown"


def test_a_run_that_broke_off_at_once_still_has_a_page(tmp_path: Path) -> None:
    run = tmp_path / "20250102T030405Z-cut off"
    run.mkdir()
    (run / "params.yaml").write_text("name: cut\n")
    Ledger(run / "ledger.jsonl").append("run_started", steps=["preflight", "sign_off"])
    page = page_of(run, facts={})
    assert words(page.h1).startswith("… INTERRUPTED")
    assert f"courtbook run --resume '{run}'" in words(section(page, "trouble"))
    assert "preflight not run" in words(section(page, "steps"))
    assert "It was not read in this run." in words(section(page, "coverage"))
    assert "No gate was decided" in words(section(page, "checks"))
    assert "Not recorded." in words(section(page, "tables"))
    assert "not under version control" in words(section(page, "environment"))
    assert "Secrets not recorded" in words(section(page, "environment"))


def test_dates_that_failed_are_named_unless_they_were_done_later(tmp_path: Path) -> None:
    run = make_run(tmp_path, steps={"preflight": "NO-GO"}, sealed=False)
    ledger, about = Ledger(run / "ledger.jsonl"), {"table": "orders", "executor": "http", "rows": 0, "seconds": 0.0}
    many = [f"2023-01-{day:02d}" for day in range(1, 31)]
    ledger.append("dates", **about, done=[], failed=many, why={many[3]: "the service said 503"})
    ledger.append("dates", **about, done=many[:2], failed=[], why={})
    told = words(section(page_of(run), "trouble"))
    assert "28 dates of orders failed: 2023-01-03, 2023-01-04, " in told
    assert "and 20 more: the service said 503" in told
    assert "2023-01-02" not in told


def test_a_page_made_for_a_signature_tells_what_the_run_was_made_with(tmp_path: Path) -> None:
    run = make_run(tmp_path, sealed=False)
    page_of(run)
    page = page_of(
        run,
        (signature(1, "Ann", Meaning.EXECUTED, Standing.VALID),),
        SignOff.EXECUTED,
        kind=Seal.SIGNATURE,
        facts={"verdict": "GO"},
    )
    assert "duckdb:/data/made.duckdb" in words(section(page, "environment"))
    banner = words(page.select_one(".banner"))
    assert "manifest.json" in banner
    assert json.loads((run / "manifest.json").read_text())["digest"] in banner, "what was signed"
    assert {"index.html", "manifest.json"} <= {a.get_text() for a in page.select("#files a")}


def test_a_dry_run_says_how_to_write(tmp_path: Path) -> None:
    run = make_run(tmp_path, steps={"phase3_backfill": "NO-GO"}, sealed=False)
    file = next(run.glob("*/attempt-1/result.json"))
    report = {"planned": 9, "done": 0, "failed": 0, "held_back": ["orders"], "unsound": {}, "errors": {"lines": EVIL}}
    file.write_text(json.dumps({**json.loads(file.read_text()), "backfills": [report]}))
    params = (run / "params.yaml").read_text()
    (run / "params.yaml").write_text(params.replace("dry_run: false", "dry_run: true"))
    told = words(section(page_of(run), "trouble"))
    assert f"courtbook run {run}/params.yaml --set dry_run=false" in told
    assert "orders was held back" in told
    assert f"lines: {EVIL}" in told


def test_times_are_shown_in_utc_and_what_is_no_time_as_it_stands() -> None:
    assert moment("2025-01-03T02:00:00+02:00") == "2025-01-03 00:00:00 UTC"
    assert moment("yesterday") == "yesterday"
    assert moment("") == ""


def test_a_map_has_a_panel_a_season_and_a_bar_for_each_row_of_days() -> None:
    days = [date(2024, 4, 1) + timedelta(days=n) for n in (0, 1, 2, 4, 44, 89, 135, 136)]  # gaps of 40, 45 and 46 days
    states = {"complete": [str(day) for day in days], "missing": ["2024-04-04"]}
    found = state_map({EVIL: states, "empty": {}}, EVIL)
    svg = BeautifulSoup(found.svg, "html.parser")
    panels = [item.get_text() for item in svg.select("text.t")]
    assert panels == ["2024-04-01 to 2024-06-29", "2024-08-14 to 2024-08-15"]
    paths = [str(path["d"]) for path in svg.select("path")]
    assert [path.count("M") for path in paths] == [4, 1, 1]
    assert paths[0].startswith("M0 34h3")
    assert paths[2].startswith("M0 34h2")
    assert [(word, count) for word, _, count in found.legend] == [("complete", 8), ("missing", 1)]
    assert not svg.select("script, img")


def notebook(path: Path, *cells: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(nbformat.v4.new_notebook(cells=list(cells))), encoding="utf-8")
    return path


def shows(source: str, *outputs: Any, state: str = "done") -> Any:
    cell = nbformat.v4.new_code_cell(source, execution_count=1, outputs=list(outputs))
    cell.metadata["courtbook"] = {"state": state}
    return cell


def display(data: Mapping[str, str], **metadata: Any) -> Any:
    return nbformat.v4.new_output("display_data", dict(data), metadata=metadata)


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==\n"


def exported(path: Path, *cells: Any, verdict: str = "", why: str = "") -> BeautifulSoup:
    return BeautifulSoup(export_notebook(notebook(path, *cells), verdict, why), "html.parser")


def test_an_executed_notebook_shows_verdict_outputs_and_folded_code(tmp_path: Path) -> None:
    path = tmp_path / "20250102T030405Z-made" / "10_step" / "attempt-2" / "10_step.ipynb"
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\n| a |\n|---|\n| 1 |"),
        shows("x = '<b>'", display({"image/png": PIXEL, "text/plain": "no"}, **{"image/png": {"alt": 'a "map"'}})),
        shows("y", display({"text/html": "<table><tr><td>7</td></tr></table>", "text/plain": "7"})),
    ]
    page = exported(path, *cells, verdict="NO-GO", why="2 of 3 checks <block>")
    assert words(page.select_one(".banner")) == "✗ NO-GO 2 of 3 checks <block>"
    assert [item.get_text() for item in page.select("h1")] == ["Title"]
    assert [item.code.get_text() for item in page.select("details.code")] == ["x = '<b>'", "y"]
    assert not page.select("details[open]")
    (image,) = page.select("img")
    assert image["alt"] == 'a "map"'
    assert str(image["src"]).startswith("data:image/png;base64,iVBOR")
    assert "\n" not in str(image["src"])
    assert page.html is not None
    assert page.html["lang"] == "en"
    assert page.title is not None
    assert page.title.string == "NO-GO · 10_step · 20250102T030405Z-made · attempt-2"
    back = page.select_one("nav a")
    assert back is not None
    assert (path.parent / str(back["href"])).resolve() == tmp_path / "20250102T030405Z-made" / "index.html"
    assert_inert(page)


def test_a_notebook_with_an_error_shows_the_traceback_without_terminal_codes(tmp_path: Path) -> None:
    trace = ["\x1b[0;31mValueError\x1b[0m", "\x1b[1;38;5;28mline\x1b[0m <7>"]
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="bad", traceback=trace)
    silent = nbformat.v4.new_output("error", ename="KeyError", evalue="'k'", traceback=[])
    stream = nbformat.v4.new_output("stream", name="stderr", text="10%\r100%\nwarned\n")
    page = exported(tmp_path / "bad.ipynb", shows("1/0", stream, error, state="failed"), shows("z", silent))
    assert "\x1b" not in str(page)
    assert words(page.select_one("pre.error")) == "ValueError line <7>"
    assert "KeyError: 'k'" in words(page)
    assert page.select_one("pre.stderr").get_text() == "100%\nwarned\n"  # type: ignore[union-attr]
    assert "This cell: failed." in words(page)
    assert [item.get_text() for item in page.select("h1")] == ["bad"], "a page has a heading"


@pytest.mark.parametrize(
    "html",
    [
        "<script src='https://example.org/x.js'></script><p>kept</p>",
        "<p onclick='go()' ONMOUSEOVER=go()>kept</p>",
        "<p/onclick='go()'>kept</p>",
        "<a href=' java\nscript:go()'>kept</a>",
        "<iframe src='https://example.org'></iframe><meta http-equiv=refresh content='0;url=https://example.org'><p>kept</p>",
        "<LINK rel=stylesheet href='https://example.org/x.css'><form action='https://example.org'></form><p>kept</p>",
    ],
)
def test_outputs_that_would_run_or_load_something_do_not(tmp_path: Path, html: str) -> None:
    data = {"text/html": html, "application/javascript": "go()"}
    page = exported(tmp_path / "x.ipynb", shows("a", display(data)), nbformat.v4.new_markdown_cell(html))
    assert_inert(page)
    assert page.get_text().count("kept") == 2
    assert "go()" not in str(page)


def test_odd_notebooks_are_exported_too(tmp_path: Path) -> None:
    odd = [
        shows("", display({"application/json": "{}"})),
        shows("b", display({"image/svg+xml": "<svg onload='go()'/>"}), display({"image/png": PIXEL})),
        shows("c", nbformat.v4.new_output("stream", name="stdout", text="half \ud800 of a pair")),
        nbformat.v4.new_raw_cell("<b>raw</b>"),
    ]
    path = tmp_path / "not in a run" / "odd näme.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=odd)))
    before = path.read_bytes()
    text = export_notebook(path)
    page = BeautifulSoup(text.encode(), "html.parser")
    assert "half ? of a pair" in words(page)
    assert [image["alt"] for image in page.select("img")] == ["a figure without a description"]
    assert path.read_bytes() == before, "the notebook is the evidence and is not touched"
    assert export_notebook(notebook(tmp_path / "none.ipynb")).count("<h1>none</h1>") == 1


def test_the_index_lists_every_run_newest_first_and_says_what_is_wrong_with_one(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    first = make_run(runs, "20250101T000000Z-a")
    (first / "index-2.html").write_text("newer")
    (first / "index-10.html").write_text("newest")
    override = {"gate": "phase3", "by": "Dora", "reason": "deadline"}
    make_run(runs, "20250102T000000Z-b", override=override, operator=EVIL)
    make_run(runs, "20250103T000000Z-c", sealed=False)
    resumed = make_run(runs, "20250104T000000Z-d")
    Ledger(resumed / "ledger.jsonl").append("run_resumed", step="preflight")
    for name, file, damage in (
        ("20250105T000000Z-e", "ledger.jsonl", "changed\n"),
        ("20250106T000000Z-f", "manifest.json", "[" * 100_000),
        ("20250108T000000Z-h", "manifest.json", json.dumps({"files": {}})),
    ):
        shutil.copytree(first, runs / name)
        (runs / name / file).write_text(damage)
    (runs / "20250107T000000Z-g").mkdir()
    make_run(runs, "working-made", sealed=False)
    (runs / "LATEST").symlink_to("20250101T000000Z-a")
    (runs / ".locks").mkdir()
    page = BeautifulSoup(write_index(runs, None).read_text(encoding="utf-8"), "html.parser")
    assert_inert(page)
    own, working = (list(item.select("tbody tr")) for item in page.select("section"))
    told = [words(row) for row in own]
    assert [words(row.select("th")[0]) for row in own] == [
        f"2025010{n}T000000Z-{name}" for n, name in zip(range(8, 0, -1), "hgfedcba", strict=True)
    ]
    for row in told[:3]:
        assert "cannot be read" in row
        assert "made by an older version, or damaged" in row
    told, own = told[1:], own[1:]
    assert str(tmp_path) not in str(page), "an index that is published says nothing about the machine"
    assert "The ledger was changed" in told[2]
    assert "still going on, or was cut off" in told[3]
    assert "it ended in GO, and no manifest covers that" in told[4]
    assert told[5].startswith("▼ DEGRADED 20250102T000000Z-b")
    assert f"{EVIL} (unauthenticated)" in told[5]
    assert told[6].startswith("✓ GO 20250101T000000Z-a not signed made 2024-11-04 to 2024-11-29 Olga Operator")
    assert [a["href"] for a in own[6].select("a")] == ["20250101T000000Z-a/index-10.html"]
    assert [words(row.select("th")[0]) for row in working] == ["working-made"]


def test_the_index_reads_no_results_so_that_hundreds_of_runs_are_quick(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for file in run.glob("*/attempt-1/*.json"):
        file.write_text("never read")
    assert read_entry(run, None).problem == ""
    assert read_entry(run, None).verdict == ("GO",)


def test_signatures_stand_in_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path)
    asked: list[Path | None] = []

    def read(folder: Path, signers: Path | None) -> tuple[Signature, ...]:
        asked.append(signers)
        return (signature(1, "Ann", Meaning.REJECTED, Standing.VALID),)

    monkeypatch.setattr("courtbook.report.index_page.read_signatures", read)
    assert read_entry(run, Path("allowed")).who == ("Olga Operator (unauthenticated)",)
    assert asked == [], "a run that nobody signed costs nothing"
    (run / "signatures").mkdir()
    entry = read_entry(run, Path("allowed"))
    assert asked == [Path("allowed")]
    assert entry.sign_off == SignOff.REJECTED.value
    assert entry.who[1:] == ("rejected by Ann (valid)",)


def test_two_may_write_the_index_at_once_and_readers_see_a_whole_one(tmp_path: Path) -> None:
    make_run(tmp_path)
    write_index(tmp_path, None)
    with ThreadPoolExecutor(4) as pool:
        written = [pool.submit(write_index, tmp_path, None) for _ in range(24)]
        while not all(item.done() for item in written):
            assert (tmp_path / "index.html").read_text().endswith("</html>")
    assert [item.result() for item in written] == [tmp_path / "index.html"] * 24
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["index.html"]


def test_an_index_that_cannot_be_written_is_an_error_that_leaves_nothing_behind(tmp_path: Path) -> None:
    make_run(tmp_path)
    (tmp_path / "index.html").mkdir()
    with pytest.raises(CourtbookError, match="index of the runs cannot be written"):
        write_index(tmp_path, None)
    assert not list(tmp_path.glob(".index*"))
    assert not list(tmp_path.glob(".html*"))


def test_an_empty_folder_of_runs_has_an_index(tmp_path: Path) -> None:
    assert "There is no run yet." in write_index(tmp_path, None).read_text()
