"""What people look at: numbers as text, tables, figures."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from courtbook.backfill.runner import BackfillReport, Batch
from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import Check, Severity, load_catalog
from courtbook.checks.result import CheckResult, Status
from courtbook.coverage import Coverage, DateState
from courtbook.gates import Decision, decide
from courtbook.params import Params
from courtbook.report import pages, plots, tables
from courtbook.report.layout import STATE_STYLE, cell, percent, table, text_table
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import render
from hypothesis import given
from hypothesis import strategies as st

CATALOG = load_catalog()
OPENING = date(2024, 10, 22)
DAYS = [OPENING + timedelta(days=n) for n in (0, 1, 2, 5, 6, 9, 20)]
CALENDAR = Calendar(tuple(GameDay(day, 2024, OPENING, 5) for day in DAYS), 14)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "100.0 %"),
        (0.0, "0.0 %"),
        (0.95, "95.0 %"),
        (806 / 848, "95.0 %"),
        (0.9994, "99.9 %"),
        (0.99951, "99.9 %"),
        (0.999999999, "99.9 %"),
        (5802 / 5803, "99.9 %"),
        (1.2, "120.0 %"),
        (None, "–"),
    ],
)
def test_percent(value: float | None, text: str) -> None:
    assert percent(value) == text


@given(st.integers(1, 10**9), st.data())
def test_percent_says_all_only_for_all(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    assert (percent(part / whole) == "100.0 %") == (part == whole)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (float("nan"), "–"),
        (pd.NA, "–"),
        (pd.NaT, "–"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (5803, "5,803"),
        (0.5, "0.5"),
        (2.0, "2"),
        (100.0, "100"),
        (0.12345, "0.123"),
        (-0.0004, "0"),
        (12345.6, "12,346"),
        (date(2024, 10, 22), "2024-10-22"),
        ("<b>", "<b>"),
    ],
    ids=str,
)
def test_a_cell(value: object, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a & b", '"quoted"', "x, <i>y</i>", "FAIL <b>"])
@pytest.mark.parametrize("place", ["row", "column", "caption"])
def test_html_is_escaped_wherever_it_comes_from(text: str, place: str) -> None:
    made = table(
        [[text if place == "row" else "x", 1]],
        [text if place == "column" else "c", "n"],
        text if place == "caption" else "t",
    )
    for tag in ("<script", "<i>", "<b>", " & "):
        assert tag not in made.html
    assert text in made.text
    nothing = table([], ["c"], text)
    assert not any(tag in nothing.html for tag in ("<script", "<i>", "<b>", " & "))


@pytest.mark.parametrize("state", STATE_STYLE)
def test_states_have_a_sign_besides_their_colour(state: str) -> None:
    colour, sign = STATE_STYLE[state]
    made = table([[state]], ["state"], "t")
    assert f"{sign} {state}" in made.html
    assert colour in made.html


def contrast(colour: str) -> float:
    """Return the contrast of a text colour with white, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


@pytest.mark.parametrize("colour", sorted({colour for colour, _ in STATE_STYLE.values()}))
def test_states_can_be_read(colour: str) -> None:
    assert contrast(colour) >= 4.5


def test_a_text_table_lines_up() -> None:
    assert text_table([["one", 5], ["three", 12345]], ["name", "rows"], "Caption").splitlines() == [
        "Caption",
        "name     rows",
        "-----  ------",
        "one         5",
        "three  12,345",
    ]


def test_a_text_table_without_rows_has_its_head() -> None:
    assert text_table([], ["name", "rows"]).splitlines()[0] == "name  rows"


def test_rows_that_do_not_fit_their_columns_are_refused() -> None:
    with pytest.raises((ValueError, IndexError)):
        table([[1, 2, 3]], ["a", "b"], "t")


def coverage(name: str, states: list[DateState]) -> Coverage:
    held = [state not in (DateState.MISSING, DateState.EMPTY_BY_RULE) for state in states]
    frame = pd.DataFrame(
        {
            "day": DAYS[: len(states)],
            "expected_rows": 2,
            "obtainable_rows": 2,
            "actual_rows": [2 * h for h in held],
            "found_rows": [2 * h for h in held],
            "unexpected_rows": 0,
            "duplicate_rows": 0,
            "state": pd.Series(states, dtype=object),
        }
    )
    return Coverage(CATALOG.tables[name], frame, tuple(DAYS[: len(states)]))


READ = {
    "team_offense_game_summary": coverage("team_offense_game_summary", [DateState.COMPLETE] * 6 + [DateState.MISSING]),
    "player_daily_cache": coverage("player_daily_cache", [*DateState, DateState.COMPLETE][:7]),
}


def test_the_coverage_table_shows_both_measures() -> None:
    rows, heads = tables.coverage_table(READ)
    shown = dict(zip(heads, rows[0], strict=True))
    assert (shown["covered"], shown["expected"], shown["coverage"]) == (6, 7, "85.7 %")
    assert (shown["complete"], shown["partial"]) == (6, 0)
    assert (shown["rows"], shown["of"]) == (12, 14)
    assert "any row" in tables.coverage(READ).text


def outcome(status: Status, value: float | None, unit: str, **bounds: Any) -> CheckResult:
    checked = Check(
        "a", "A check", "phase3", Severity.CRITICAL, "r", "s", "causes", "repair",
        "do PARAMS --set range.start=DAY --set range.end=DAY", table="t", unit=unit,
    )  # fmt: skip
    numbers = {"minimum": None, "maximum": None, "overridden": False, **bounds}
    return CheckResult(checked, status, 9995.0, 10000.0, value, seconds=0.1, detail="where <x>", **numbers)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (outcome(Status.PASS, 0.9995, "fraction", minimum=0.95), ("99.9 %", "≥ 95 %", "9,995 / 10,000")),
        (outcome(Status.FAIL, 0.5, "fraction", maximum=0.005), ("50.0 %", "≤ 0.5 %", "9,995 / 10,000")),
        (outcome(Status.PASS, 2.0, "rows", minimum=1.9, maximum=2.1), ("2 rows", "≥ 1.9, ≤ 2.1", "9,995 / 10,000")),
        (
            outcome(Status.PASS, 0.9, "fraction", minimum=0.8, overridden=True),
            ("90.0 %", "≥ 80 % (overridden)", "9,995 / 10,000"),
        ),
        (outcome(Status.NO_DATA, None, "rows", maximum=0), ("–", "≤ 0", "9,995 / 10,000")),
        (
            outcome(Status.WARN, 0.91, "fraction of the baseline", minimum=0.95, floor=0.9),
            ("91.0 % of the baseline", "≥ 95 %, fails below 90 %", "9,995 / 10,000"),
        ),
        (
            outcome(Status.PASS, float("inf"), "fraction of the baseline", minimum=0.95),
            ("from nothing", "≥ 95 %", "9,995 / 10,000"),
        ),
        (outcome(Status.FAIL, 5371.0, "games", minimum=5605.8), ("5,371 games", "≥ 5,605.8", "9,995 / 10,000")),
    ],
)  # fmt: skip
def test_a_result_is_shown_in_its_unit(result: CheckResult, expected: tuple[str, str, str]) -> None:
    assert tables.measured(result) == expected


def decided(*results: CheckResult) -> Decision:
    return decide("phase3", [item.check for item in results], results)


def test_checks_that_do_not_pass_stand_on_top_with_their_detail_and_the_others_are_folded() -> None:
    results = [outcome(status, 0.5, "fraction") for status in (Status.PASS, Status.WARN, Status.ERROR, Status.FAIL)]
    shown = tables.checks(decided(*results))
    order = [shown.text.index(f"\n{name}") for name in ("ERROR", "FAIL", "WARN", "PASS")]
    assert order == sorted(order)
    assert shown.text.count("where <x>") == 3
    assert "where <x>" not in shown.html
    assert "1 ERROR, 1 FAIL, 1 WARN, 1 PASS" in shown.text
    assert shown.html.index("FAIL") < shown.html.index("<details>") < shown.html.index("✓ PASS")


def test_what_was_accepted_by_name_is_shown_with_the_name() -> None:
    accepted = replace(outcome(Status.WARN, 0.5, "fraction"), excuse="waived by Ann until 2030-01-01: known gap")
    assert "where <x>; waived by Ann until 2030-01-01: known gap" in tables.checks(decided(accepted)).text


def test_troubleshooting_names_causes_and_a_command_with_file_and_dates() -> None:
    failed = replace(outcome(Status.FAIL, 0.5, "fraction"), dates=(DAYS[3], DAYS[1]))
    again = replace(failed, check=replace(failed.check, id="b"))
    shown = tables.troubleshooting(decided(outcome(Status.PASS, 1.0, "fraction"), failed, again), "params/x.yaml").text
    assert f"do params/x.yaml --set range.start={DAYS[1]} --set range.end={DAYS[3]}" in shown
    assert "causes" in shown
    assert "a, b" in shown, "checks with the same cause and command share a line"
    assert "nothing to repair" in tables.troubleshooting(decided(outcome(Status.PASS, 1.0, "fraction")), "p").text


def test_a_terminal_reads_what_is_wrong_and_what_repairs_it() -> None:
    text = pages.audit_text(decided(outcome(Status.FAIL, 0.5, "fraction", minimum=0.9)), "params/x.yaml")
    assert text.splitlines()[0] == "phase3     NO-GO  1 of 1 checks block in t"
    for words in (
        "FAIL     a: 50.0 % (9,995 / 10,000), asked for ≥ 90 %",
        "where <x>",
        "likely  causes",
        "do params/x.yaml",
    ):
        assert words in text


def phase3_statuses(**changed: str) -> dict[tuple[str, str], str]:
    found = {("phase3", check.id): "PASS" for check in CATALOG.checks_of("phase3")}
    return {**found, **{("phase3", name.replace("__", ".")): status for name, status in changed.items()}}


def test_a_checklist_ticks_what_checks_prove_and_leaves_the_rest_to_a_person() -> None:
    rows = {row[1]: row for row in tables.checklist_rows(CATALOG, phase3_statuses())}
    assert len(rows) == sum(item.phase == "phase3" for item in CATALOG.checklist)
    assert {row[0] for row in rows.values()} == {"PASS", "open"}
    person = [row for row in rows.values() if row[0] == "open"]
    assert [row[2] for row in person] == ["a person, with the signature"]


def test_a_checklist_shows_the_worst_of_the_checks_of_a_box() -> None:
    found = phase3_statuses(stale__player_game_summary="FAIL", usage_rate="WARN", quality_regression="NO_DATA")
    state = {row[1]: row[0] for row in tables.checklist_rows(CATALOG, found)}
    assert state["Nothing is older than its inputs"] == "FAIL"
    assert state["Minutes, usage and points are filled"] == "WARN"
    assert state["No regression against the time before"] == "NO_DATA"
    assert sum(value == "PASS" for value in state.values()) == len(state) - 4


def test_a_check_that_did_not_report_ticks_no_box() -> None:
    found = phase3_statuses()
    del found["phase3", "coverage.player_game_summary"]
    state = {row[1]: row[0] for row in tables.checklist_rows(CATALOG, found)}
    assert state["All five Phase 3 tables cover 95 % of the dates"] == "ERROR"


def test_every_check_ticks_a_box_and_every_box_names_checks_that_exist() -> None:
    named = {(item.phase, check) for item in CATALOG.checklist for check in item.checks}
    assert named == {(check.phase, check.id.partition(".")[0]) for check in CATALOG.checks}


def test_dates_and_ranges_do_not_break_but_sentences_do() -> None:
    html = table([["2024-10-22 .. 2024-10-24, 2024-11-01 and so on, with words"]], ["when"], "t").html
    assert html.count('<span style="white-space:nowrap">') == 2
    assert '<span style="white-space:nowrap">2024-10-22 .. 2024-10-24</span>, ' in html


def test_a_frame_shows_unknown_values_and_seasons() -> None:
    data = pd.DataFrame(
        {"season": [2023, 2024], "last_day": [pd.Timestamp("2024-03-05"), pd.NaT], "mean": [1.5, float("nan")]}
    )
    shown = tables.frame(data, "Frame").text
    assert "2023-24" in shown
    assert "2024-03-05" in shown
    assert "last day" in shown
    assert "NaT" not in shown
    assert "nan" not in shown


def test_a_named_game_without_rows_is_shown_as_such(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    with duckdb.connect(params.warehouse.path) as connection:
        connection.execute("DELETE FROM nba_analytics.player_game_summary WHERE game_date = DATE '2024-03-05'")
        found = connection.execute("SELECT MIN(game_id) FROM nba_raw.nbac_schedule WHERE game_date = DATE '2024-03-05'")
        game = found.fetchall()[0][0]
    data = DuckDBWarehouse(Path(params.warehouse.path)).query(
        render("nba", "views/spot_check.sql"),
        {"first_date": params.range.start, "last_date": params.range.end, "games": [game]},
    )
    assert game in tables.frame(data, "Games").text


MONTHS = pd.DataFrame({"month": pd.to_datetime(["2024-10-01", "2024-11-01"]), "usage": [0.5, 1.0]})
FILLED = pd.DataFrame({"points": [1.0, 0.99], "usage": [0.4, 1.0], "minutes": [1.0, 1.0]}, index=MONTHS["month"])
BINS = pd.DataFrame({"low": [0.0, 2.0], "width": [2.0, 2.0], "count": [3, 1]})
REPORT = BackfillReport([Batch("a", tuple(DAYS), (), 14, 0.5), Batch("b", (), (DAYS[0],), 0, 0.2)])
PICTURES = {
    "coverage": (lambda: plots.coverage_map(READ, CALENDAR, "Title"), "team_offense_game_summary 6 of 7"),
    "progress": (lambda: plots.progress(REPORT, "Title"), "a 7, b 0"),
    "no progress": (lambda: plots.progress(BackfillReport(), "Title"), "nothing had to be done"),
    "months": (lambda: plots.lines_by_month(MONTHS, {"usage": "usage rate"}, "Title", 0.95), "usage rate 75.0 %"),
    "filled": (lambda: plots.filled_map(FILLED, "Title"), "smallest share of a month: usage 40.0 %, points 99.0 %"),
    "all filled": (lambda: plots.filled_map(FILLED[["minutes"]], "Title"), "1 columns are full, none has gaps"),
    "bins": (lambda: plots.histogram(BINS, "Title", "percent usage"), "4 rows, mean about 1.5 percent usage"),
    "no bins": (lambda: plots.histogram(BINS.iloc[:0], "Title", "x"), "0 rows"),
    "bars": (lambda: plots.bars(["p", "q"], [1.0, 4.5], "Title", "points", limit=4.27), "highest q with 4.5 points"),
    "no bars": (lambda: plots.bars([], [], "Title", "points"), "highest none"),
    "verdicts": (
        lambda: plots.verdicts([{"step": "preflight", "verdict": "GO", "seconds": 1.0}], "Title"),
        "preflight GO",
    ),
    "no verdicts": (lambda: plots.verdicts([], "Title"), "Title"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_a_png_with_words(name: str) -> None:
    make, words = PICTURES[name]
    picture = make()
    bundle, metadata = picture._repr_mimebundle_()
    assert bundle["image/png"].startswith(b"\x89PNG\r\n\x1a\n")
    assert len(bundle["image/png"]) > 1000
    assert bundle["text/plain"] == metadata["image/png"]["alt"] == picture.alt
    assert picture.alt.startswith("Title")
    assert words in picture.alt


def test_every_state_has_a_colour_of_its_own() -> None:
    assert set(plots.COLOURS) == set(DateState)
    assert len(set(plots.COLOURS.values())) == len(DateState)
