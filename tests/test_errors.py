"""Reasons, exit codes and the messages of errors."""

import pytest
from courtbook.errors import (
    EXIT_MEANING,
    CourtbookError,
    ExitCode,
    GateClosed,
    NoGo,
    ParameterError,
    Reason,
    WarehouseError,
)
from courtbook.execute import _exit_code

EXPECTED = {"GO": 0, "NO_GO": 1, "USAGE": 2, "ENGINE": 3, "INTERRUPTED": 4, "REFUSED": 5, "PUBLISH": 6}


def test_exit_codes_are_those_of_the_documentation() -> None:
    assert {code.name: int(code) for code in ExitCode} == EXPECTED


def test_every_exit_code_has_its_own_meaning() -> None:
    assert set(EXIT_MEANING) == set(ExitCode)
    assert len(set(EXIT_MEANING.values())) == len(ExitCode)


def test_codes_of_reasons_are_unique_words() -> None:
    codes = [reason.code for reason in Reason]
    assert len(set(codes)) == len(codes) == len(Reason.__members__)
    assert all(code == reason.name.lower() for code, reason in zip(codes, Reason, strict=True))


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.code)
def test_no_error_ends_with_the_status_of_success(reason: Reason) -> None:
    assert reason.exit_code in EXIT_MEANING
    assert reason.exit_code is not ExitCode.GO


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.code)
def test_the_exit_status_survives_the_traceback_of_a_notebook(reason: Reason) -> None:
    shown = CourtbookError(reason, "It went wrong.", where="params/x.yaml", next_action="Do it.")._render_traceback_()
    assert _exit_code("\n".join(shown)) is reason.exit_code


@pytest.mark.parametrize("traceback", ["", "ZeroDivisionError: division by zero", "\x1b[31mKeyError\x1b[0m"])
def test_a_foreign_traceback_is_an_engine_failure(traceback: str) -> None:
    assert _exit_code(traceback) is ExitCode.ENGINE


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ParameterError("What.", where="Where", next_action="Next."), 2),
        (ParameterError("What.", where="Where", next_action="Next.", reason=Reason.NO_GAMES), 2),
        (WarehouseError(Reason.WAREHOUSE_LOCKED, "What.", where="Where", next_action="Next."), 5),
        (WarehouseError(Reason.WAREHOUSE_CORRUPT, "What.", where="Where", next_action="Next."), 3),
        (GateClosed("What.", where="Where", next_action="Next."), 5),
        (NoGo("What.", where="Where", next_action="Next."), 1),
        (CourtbookError(Reason.INTERRUPTED, "What.", where="Where", next_action="Next."), 4),
    ],
)
def test_messages_say_what_where_and_what_next(error: CourtbookError, status: int) -> None:
    assert str(error) == "Where: What. Next."
    shown = error._render_traceback_()
    assert shown[0] == f"{error.reason.code}  Where"
    assert "What." in shown[1]
    assert "Next." in shown[2]
    assert error.exit_code == status
