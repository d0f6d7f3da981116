"""Results of checks: how one is judged, what stands in the way, and what several amount to."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any

import pytest
from courtbook.catalog import Check, Severity
from courtbook.checks.result import CheckResult, Status, Verdict, blocks, judge, verdict
from hypothesis import given
from hypothesis import strategies as st

CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
PASS, WARN, NO_DATA, FAIL, ERROR = Status
NAN, INFINITE = float("nan"), float("inf")


def check(severity: Severity = CRITICAL, **fields: Any) -> Check:
    given_fields = {
        "id": "a_check",
        "title": "A check",
        "phase": "phase3",
        "severity": severity,
        "rule": "a / b",
        "source": "here",
        "causes": "something",
        "repair": "Repair it.",
        "command": "courtbook run PARAMS",
        **fields,
    }
    return Check(**given_fields)


def result(
    name: str, status: Status, severity: Severity = CRITICAL, excuse: str = "", value: float | None = 0.5
) -> CheckResult:
    return CheckResult(
        check(severity, id=name), status, 1.0, 2.0, value, None, None, overridden=False, seconds=0.0, excuse=excuse
    )


@pytest.mark.parametrize(
    ("severity", "value", "minimum", "maximum", "expected"),
    [
        (CRITICAL, 0.95, 0.95, None, PASS),
        (CRITICAL, 0.9499999, 0.95, None, FAIL),
        (WARNING, 0.9499999, 0.95, None, WARN),
        (CRITICAL, 0.0, None, 0.0, PASS),
        (CRITICAL, 1.0, None, 0.0, FAIL),
        (WARNING, 1.0, None, 0.0, WARN),
        (CRITICAL, 2.0, 1.99, 2.01, PASS),
        (CRITICAL, 1.98, 1.99, 2.01, FAIL),
        (CRITICAL, 2.02, 1.99, 2.01, FAIL),
        (CRITICAL, 5.0, None, None, PASS),
        (CRITICAL, None, 0.95, None, NO_DATA),
        (WARNING, None, None, 0.0, NO_DATA),
        (CRITICAL, None, None, None, NO_DATA),
        (CRITICAL, NAN, None, 0.0, NO_DATA),
        (CRITICAL, NAN, None, None, NO_DATA),
        (CRITICAL, INFINITE, 0.95, 1.0, FAIL),
        (CRITICAL, INFINITE, 0.95, None, PASS),
        (CRITICAL, -INFINITE, 0.95, None, FAIL),
        (CRITICAL, -1.0, None, 0.0, PASS),
        (CRITICAL, 0.5, NAN, None, FAIL),
        (CRITICAL, 0.5, None, NAN, FAIL),
    ],
)
def test_judge(
    severity: Severity, value: float | None, minimum: float | None, maximum: float | None, expected: Status
) -> None:
    assert judge(check(severity), value, minimum=minimum, maximum=maximum) is expected


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize(
    ("value", "minimum", "floor", "maximum", "expected"),
    [
        (0.88, 0.88, 0.8, None, PASS),
        (0.8799, 0.88, 0.8, None, WARN),
        (0.8, 0.88, 0.8, None, WARN),
        (0.7999, 0.88, 0.8, None, FAIL),
        (-INFINITE, 0.88, 0.8, None, FAIL),
        (INFINITE, 0.88, 0.8, None, PASS),
        (None, 0.88, 0.8, None, NO_DATA),
        (NAN, 0.88, 0.8, None, NO_DATA),
        (0.85, 0.88, 0.8, 1.0, WARN),
        (1.1, 0.88, 0.8, 1.0, FAIL),  # the band lies below the minimum, never above the maximum
        (0.0, None, 0.0, 0.0, PASS),
        (1.0, None, 0.0, 0.0, FAIL),
        (0.5, 0.88, 0.88, None, FAIL),
        (0.5, 0.88, NAN, None, FAIL),
    ],
)
def test_judge_with_a_floor_below_which_even_a_warning_fails(
    severity: Severity,
    value: float | None,
    minimum: float | None,
    floor: float,
    maximum: float | None,
    expected: Status,
) -> None:
    assert judge(check(severity), value, minimum=minimum, maximum=maximum, floor=floor) is expected


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.sampled_from(Severity), st.lists(NUMBERS, min_size=3, max_size=3), st.booleans(), NUMBERS)
def test_a_higher_value_is_never_judged_worse_by_a_minimum(
    severity: Severity, bounds: list[float], with_floor: bool, other: float
) -> None:
    floor, minimum, value = (*sorted(bounds[:2]), bounds[2])
    low, high = sorted([value, other])
    judged = [
        judge(check(severity), number, minimum=minimum, maximum=None, floor=floor if with_floor else None)
        for number in (low, high)
    ]
    order = list(Status)
    assert order.index(judged[1]) <= order.index(judged[0])


@pytest.mark.parametrize(
    ("severity", "status", "excuse", "stands_in_the_way"),
    [
        (severity, status, excuse, expected)
        for (severity, status), by_excuse in {
            (CRITICAL, PASS): (False, False),
            (CRITICAL, WARN): (True, False),
            (CRITICAL, NO_DATA): (True, True),
            (CRITICAL, FAIL): (True, True),
            (CRITICAL, ERROR): (True, True),
            (WARNING, PASS): (False, False),
            (WARNING, WARN): (False, False),
            (WARNING, NO_DATA): (False, False),
            (WARNING, FAIL): (True, True),
            (WARNING, ERROR): (True, True),
        }.items()
        for excuse, expected in zip(("", "waived by Ann"), by_excuse, strict=True)
    ],
)
def test_what_blocks(severity: Severity, status: Status, excuse: str, stands_in_the_way: bool) -> None:
    assert blocks(result("a", status, severity, excuse)) is stands_in_the_way


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ({"a": (CRITICAL, PASS)}, Verdict.GO),
        ({"a": (CRITICAL, PASS), "b": (WARNING, WARN), "c": (WARNING, NO_DATA)}, Verdict.GO),
        ({"a": (CRITICAL, PASS), "b": (CRITICAL, WARN)}, Verdict.MARGINAL),
        ({"a": (WARNING, WARN), "b": (CRITICAL, WARN), "c": (CRITICAL, WARN)}, Verdict.MARGINAL),
        ({"a": (CRITICAL, WARN), "b": (CRITICAL, FAIL)}, Verdict.NO_GO),
        ({"a": (CRITICAL, WARN), "b": (CRITICAL, NO_DATA)}, Verdict.NO_GO),
        ({"a": (CRITICAL, WARN), "b": (WARNING, ERROR)}, Verdict.NO_GO),
        ({"a": (CRITICAL, PASS), "b": (CRITICAL, NO_DATA)}, Verdict.NO_GO),
        ({"a": (CRITICAL, PASS), "b": (WARNING, FAIL)}, Verdict.NO_GO),
        ({"a": (CRITICAL, PASS), "b": (WARNING, ERROR)}, Verdict.NO_GO),
        ({"a": (CRITICAL, ERROR)}, Verdict.NO_GO),
    ],
)
def test_verdict_over_all_that_was_declared(statuses: dict[str, tuple[Severity, Status]], expected: Verdict) -> None:
    found = [result(name, status, severity) for name, (severity, status) in statuses.items()]
    assert verdict(statuses, found) is expected
    assert verdict(reversed(statuses), found) is expected


@pytest.mark.parametrize(
    ("declared", "reported"),
    [
        (["a", "b"], ["a"]),
        (["a"], ["a", "b"]),
        (["a"], ["b"]),
        (["a", "a"], ["a"]),
        (["a"], ["a", "a"]),
        (["a"], []),
        ([], []),
        ([], ["a"]),
    ],
)
@pytest.mark.parametrize("status", [PASS, WARN, FAIL])
def test_a_missing_or_extra_result_is_an_interruption(declared: list[str], reported: list[str], status: Status) -> None:
    assert verdict(declared, [result(name, status) for name in reported]) is Verdict.INTERRUPTED


Finding = tuple[Severity, Status, bool]
FINDING = st.tuples(st.sampled_from(Severity), st.sampled_from(Status), st.booleans())
FINDINGS = st.dictionaries(st.sampled_from("abcdefgh"), FINDING, min_size=1)
RANK = {Verdict.GO: 0, Verdict.MARGINAL: 1, Verdict.NO_GO: 2, Verdict.INTERRUPTED: 2}


def made(findings: Mapping[str, Finding]) -> list[CheckResult]:
    return [
        result(name, status, severity, "waived by Ann" if excused else "")
        for name, (severity, status, excused) in findings.items()
    ]


def rank(findings: Mapping[str, Finding]) -> int:
    return RANK[verdict(findings, made(findings))]


def no_better(finding: Finding) -> list[Finding]:
    """Return the findings that are no better: a worse status, more severe, no longer excused."""
    severity, status, excused = finding
    order = list(Status)
    return list(
        product(
            [CRITICAL] if severity is CRITICAL else [CRITICAL, WARNING],
            order[order.index(status) :],
            [True, False] if excused else [False],
        )
    )


@given(FINDINGS)
def test_a_verdict_is_go_or_marginal_only_if_nothing_else_blocks(findings: dict[str, Finding]) -> None:
    said = verdict(findings, made(findings))
    blocking = [item.status for item in made(findings) if blocks(item)]
    assert (said is Verdict.GO) == (not blocking)
    assert (said is Verdict.MARGINAL) == (bool(blocking) and set(blocking) == {WARN})
    assert said in (Verdict.GO, Verdict.MARGINAL, Verdict.NO_GO)


@given(FINDINGS, FINDING)
def test_another_result_never_improves_a_verdict(findings: dict[str, Finding], more: Finding) -> None:
    assert rank({**findings, "z": more}) >= rank(findings)
    assert rank({**findings, "z": (more[0], FAIL, more[2])}) == RANK[Verdict.NO_GO]


@given(FINDINGS, st.data())
def test_a_worse_result_never_improves_a_verdict(findings: dict[str, Finding], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(findings)))
    worse = data.draw(st.sampled_from(no_better(findings[name])))
    assert rank({**findings, name: worse}) >= rank(findings)


@given(FINDINGS, st.data())
def test_the_order_of_results_does_not_matter(findings: dict[str, Finding], data: st.DataObject) -> None:
    declared, reported = (data.draw(st.permutations(sorted(findings))) for _ in range(2))
    shuffled = made({name: findings[name] for name in reported})
    assert verdict(declared, shuffled) is verdict(findings, made(findings))


@given(FINDINGS, FINDING, st.data())
def test_a_result_too_few_or_too_many_is_always_an_interruption(
    findings: dict[str, Finding], more: Finding, data: st.DataObject
) -> None:
    found = made(findings)
    name = data.draw(st.sampled_from(sorted(findings)))
    assert verdict(findings, [item for item in found if item.check.id != name]) is Verdict.INTERRUPTED
    assert verdict(findings, [*found, *made({"z": more})]) is Verdict.INTERRUPTED
    assert verdict(findings, [*found, *made({name: more})]) is Verdict.INTERRUPTED


@pytest.mark.parametrize("value", [None, 0.0, 0.5, INFINITE, -INFINITE, NAN])
def test_every_result_can_be_written_as_json(value: float | None) -> None:
    odd = replace(result("a", WARN, value=value), numerator=value, denominator=value, dates=(date(2024, 3, 5),))
    record = json.loads(json.dumps(odd.record(), allow_nan=False))
    expected = value if value is not None and math.isfinite(value) else None
    assert (record["numerator"], record["denominator"], record["value"]) == (expected,) * 3
    assert record["dates"] == ["2024-03-05"]


def test_a_record_says_what_was_asked_for_found_and_advised() -> None:
    declared = check(WARNING, table="t", why="because", unit="rows")
    found = CheckResult(
        declared, WARN, 1.0, 2.0, 0.5, 0.9, None, overridden=True, seconds=0.12345, sql="SELECT 1", job="job-7",
        detail="where", dates=(date(2024, 3, 5),), excuse="waived by Ann", floor=0.4,
    )  # fmt: skip
    assert found.record() == {
        "id": "a_check", "title": "A check", "table": "t", "severity": "warning", "status": "WARN",
        "numerator": 1.0, "denominator": 2.0, "value": 0.5, "unit": "rows", "minimum": 0.9, "floor": 0.4,
        "maximum": None, "overridden": True, "excuse": "waived by Ann", "rule": "a / b", "source": "here",
        "why": "because", "causes": "something", "repair": "Repair it.", "command": "courtbook run PARAMS",
        "detail": "where", "dates": ["2024-03-05"], "sql": "SELECT 1", "job": "job-7", "seconds": 0.123,
    }  # fmt: skip
