"""The schema of a params file: what it accepts, its digest, its way back into a file."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from courtbook.params import STEP_NAMES, Params
from courtbook.params_file import load_params
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

MINIMUM: dict[str, Any] = {
    "name": "try",
    "warehouse": {"path": "warehouse/try.duckdb"},
    "range": {"start": date(2024, 10, 22), "end": date(2024, 12, 31)},
}

WAIVER: dict[str, Any] = {"by": "Ann", "reason": "known", "until": date(2026, 5, 31)}
ACCEPT: dict[str, Any] = {"by": "Ann", "reason": "the jobs fill in", "fallback_confirmed": True}
OVERRIDE: dict[str, Any] = {"gate": "phase3", "by": "Ann", "reason": "the season starts tomorrow"}

# The breaks of lines that only Unicode knows have a test of their own.
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x85\u2028\u2029"), max_size=30)
BOUND = st.none() | st.floats(allow_nan=False, allow_infinity=False)
IDS = st.sampled_from(["usage_rate", "rows.player_game_summary", "null", "on", "reason", "until.by"])
WORDS = TEXT.filter(lambda text: text.strip() != "")


@st.composite
def params(draw: st.DrawFn) -> Params:
    start, end = sorted(draw(st.tuples(st.dates(), st.dates())))
    steps = st.sampled_from(STEP_NAMES)
    first, last = sorted(draw(st.tuples(steps, steps)), key=STEP_NAMES.index)
    league = st.fixed_dictionaries(
        {
            "kind": st.just("league"),
            "seed": st.integers(0, 2**40),
            "seasons": st.lists(st.integers(2021, 2025), max_size=3),
            "state": st.sampled_from(["raw", "incident", "complete"]),
        }
    )
    folder = st.fixed_dictionaries({"kind": st.just("folder"), "path": st.just("/data/nba: 2024 #1")})
    content = {
        "name": draw(st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,12}\Z")),
        "warehouse": {
            "path": "/data/it's here.duckdb",
            "memory": draw(st.sampled_from(["900MB", "2GB"])),
            "timeout": draw(st.integers(1, 86400)),
        },
        "source": draw(st.none() | league | folder),
        "range": {"start": start, "end": end},
        "first_step": first,
        "last_step": last,
        "dry_run": draw(st.booleans()),
        "operator": draw(TEXT),
        "bootstrap_days": draw(st.integers(0, 60)),
        "backfill": {
            "mode": draw(st.sampled_from(["missing", "stale", "all"])),
            "dates_per_batch": draw(st.integers(1, 2000)),
            "sample_dates": draw(st.integers(0, 50)),
        },
        "thresholds": draw(
            st.dictionaries(
                IDS,
                st.fixed_dictionaries({"minimum": BOUND, "maximum": BOUND}).filter(
                    lambda bounds: bounds != {"minimum": None, "maximum": None}
                ),
            )
        ),
        "waivers": draw(
            st.dictionaries(IDS, st.fixed_dictionaries({"by": WORDS, "reason": WORDS, "until": st.dates()}), max_size=2)
        ),
        "accept": draw(
            st.dictionaries(
                IDS,
                st.fixed_dictionaries(
                    {"by": WORDS, "reason": WORDS, "fallback_confirmed": st.just(True), "minimum": st.floats(0.5, 1)}
                ),
                max_size=2,
            )
        ),
        "override": draw(
            st.none()
            | st.fixed_dictionaries({"gate": st.sampled_from(["phase3", "phase4", "ml"]), "by": WORDS, "reason": WORDS})
        ),
        "baseline": draw(st.sampled_from(["", "/data/runs/20260105T090000Z-try"])),
        "spot_check_games": draw(st.lists(st.from_regex(r"\A00[1-6][0-9]{7}\Z"), max_size=4)),
    }
    return Params.model_validate(content)


@given(params())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_a_written_params_file_reads_back_as_the_same_parameters(tmp_path: Path, given_params: Params) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(given_params.to_yaml(), encoding="utf-8")
    again = load_params(file)
    assert again == given_params
    assert again.digest() == given_params.digest()


@pytest.mark.parametrize(
    "operator", ["\x85", "a\u2028b", "a\u2029", "a\nb", "a\r\n", "\t", "\x00", "\ufeff"], ids=ascii
)
def test_text_with_odd_characters_reads_back(tmp_path: Path, operator: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(Params.model_validate({**MINIMUM, "operator": operator}).to_yaml(), encoding="utf-8")
    assert load_params(file).operator == operator


def test_the_digest_does_not_depend_on_how_the_parameters_were_given() -> None:
    spelled = Params.model_validate(
        {
            "range": {"end": "2024-12-31", "start": "2024-10-22"},
            "dry_run": True,
            "backfill": {"sample_dates": 0, "dates_per_batch": 250},
            **{key: MINIMUM[key] for key in ("warehouse", "name")},
        }
    )
    assert spelled.digest() == Params.model_validate(MINIMUM).digest()
    assert len(spelled.digest()) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"dry_run": False},
        {"operator": "Ann"},
        {"bootstrap_days": 13},
        {"range": {"start": date(2024, 10, 22), "end": date(2024, 12, 30)}},
        {"warehouse": {"path": "warehouse/other.duckdb"}},
        {"thresholds": {"usage_rate": {"minimum": 0.9}}},
        {"thresholds": {"usage_rate": {"maximum": 0.9}}},
        {"spot_check_games": ["0022400061"]},
        {"backfill": {"sample_dates": 1}},
        {"backfill": {"mode": "stale"}},
        {"warehouse": {"path": "warehouse/try.duckdb", "timeout": 60}},
        {"source": {"kind": "league"}},
        {"waivers": {"usage_rate": WAIVER}},
        {"accept": {"upcoming_team_game_context": ACCEPT}},
        {"override": OVERRIDE},
        {"baseline": "runs/20260105T090000Z-try"},
    ],
    ids=str,
)
def test_the_digest_changes_with_every_parameter(change: dict[str, Any]) -> None:
    assert Params.model_validate({**MINIMUM, **change}).digest() != Params.model_validate(MINIMUM).digest()


def test_defaults_are_the_cautious_ones() -> None:
    read = Params.model_validate(MINIMUM)
    assert read.dry_run is True
    assert read.source is None
    assert (read.first_step, read.last_step) == ("preflight", "sign_off")
    assert (read.thresholds, read.waivers, read.accept, read.override) == ({}, {}, {}, None)
    assert read.backfill.mode == "missing"
    assert read.baseline == ""
    assert read.bootstrap_days == 14


@pytest.mark.parametrize(
    "change",
    [
        {"name": "No Spaces"},
        {"name": "../escape"},
        {"name": ""},
        {"dry_run": "no"},
        {"dry_run": 0},
        {"bootstrap_days": -1},
        {"bootstrap_days": 61},
        {"bootstrap_days": True},
        {"backfill": {"dates_per_batch": 0}},
        {"backfill": {"dates_per_batch": 2001}},
        {"backfill": {"dates_per_batch": 2.5}},
        {"backfill": {"sample_dates": -1}},
        {"range": {"start": "2024-10-22", "end": "2024-10-21"}},
        {"range": {"start": "22.10.2024", "end": "2024-12-31"}},
        {"range": {"start": 20241022, "end": "2024-12-31"}},
        {"first_step": "sign_off", "last_step": "preflight"},
        {"first_step": "phase5"},
        {"warehouse": {"engine": "oracle", "path": "x"}},
        {"source": {"kind": "league", "state": "half"}},
        {"source": {"kind": "folder"}},
        {"source": {"kind": "web", "path": "x"}},
        {"source": {"path": "x"}},
        {"thresholds": {"usage_rate": {"minimum": "much"}}},
        {"thresholds": {"usage_rate": 0.5}},
        {"thresholds": {"usage_rate": {}}},
        {"thresholds": {"usage_rate": {"minimum": float("-inf")}}},
        {"thresholds": {"usage_rate": {"maximum": float("nan")}}},
        {"backfill": {"mode": "everything"}},
        {"backfill": {"mode": True}},
        {"warehouse": {"path": "x", "timeout": 0}},
        {"warehouse": {"path": "x", "timeout": 86401}},
        {"warehouse": {"path": "x", "timeout": 1.5}},
        {"warehouse": {"path": "x", "timeout": "60"}},
        {"waivers": {"usage_rate": True}},
        {"waivers": {"usage_rate": {**WAIVER, "until": None}}},
        {"waivers": {"usage_rate": {**WAIVER, "more": 1}}},
        {"waivers": ["usage_rate"]},
        {"accept": {"upcoming_team_game_context": True}},
        {"accept": {"upcoming_team_game_context": {**ACCEPT, "fallback_confirmed": False}}},
        {"accept": {"upcoming_team_game_context": {**ACCEPT, "minimum": 0.4}}},
        {"override": {**OVERRIDE, "gate": "preflight"}},
        {"override": {**OVERRIDE, "gate": ["phase3", "phase4"]}},
        {"override": {**OVERRIDE, "by": ""}},
        {"override": {**OVERRIDE, "reason": "  "}},
        {"override": {"gate": "phase3"}},
        {"override": True},
        {"baseline": None},
        {"spot_check_games": [22400061]},
    ],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    Params.model_validate(MINIMUM)
    with pytest.raises(ValidationError):
        Params.model_validate({**MINIMUM, **change})


def test_one_day_is_a_range() -> None:
    day = {"start": "2024-10-22", "end": "2024-10-22"}
    assert Params.model_validate({**MINIMUM, "range": day}).range.start == date(2024, 10, 22)


def test_parameters_cannot_be_changed_after_they_were_checked() -> None:
    with pytest.raises(ValidationError):
        Params.model_validate(MINIMUM).range.start = date(2020, 1, 1)  # type: ignore[misc]
