"""What a check found, and what several findings amount to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from courtbook.catalog import Check, Severity


class Status(Enum):
    """How a check ended. Only PASS is good; NO_DATA and ERROR block like FAIL."""

    PASS = "PASS"  # noqa: S105 - not a password
    WARN = "WARN"
    FAIL = "FAIL"
    NO_DATA = "NO_DATA"
    ERROR = "ERROR"


class Verdict(Enum):
    """What a step or a run may say."""

    GO = "GO"
    NO_GO = "NO-GO"
    INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True)
class CheckResult:
    """One check with all that is needed to follow its conclusion."""

    check: Check
    status: Status
    numerator: float | None
    denominator: float | None
    value: float | None
    minimum: float | None
    maximum: float | None
    overridden: bool
    seconds: float
    sql: str = ""
    detail: str = ""

    def record(self) -> dict[str, Any]:
        """Return the result as ``result.json`` holds it."""
        return {
            "id": self.check.id,
            "title": self.check.title,
            "table": self.check.table,
            "severity": self.check.severity.value,
            "status": self.status.value,
            "numerator": self.numerator,
            "denominator": self.denominator,
            "value": self.value,
            "unit": self.check.unit,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "overridden": self.overridden,
            "rule": self.check.rule,
            "source": self.check.source,
            "repair": self.check.repair,
            "detail": self.detail,
            "sql": self.sql,
            "seconds": round(self.seconds, 3),
        }


def blocks(result: CheckResult) -> bool:
    """Tell whether a result stands in the way of GO."""
    return result.status in (Status.FAIL, Status.NO_DATA, Status.ERROR)


def judge(check: Check, value: float | None, *, minimum: float | None, maximum: float | None) -> Status:
    """Decide one check: without a value it is NO_DATA; outside its bounds FAIL, or WARN where it only warns."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is the only value that differs from itself
        return Status.NO_DATA
    if (minimum is None or value >= minimum) and (maximum is None or value <= maximum):
        return Status.PASS
    return Status.FAIL if check.severity is Severity.CRITICAL else Status.WARN


def verdict(declared: Iterable[str], results: Iterable[CheckResult]) -> Verdict:
    """Decide over several checks.

    GO needs at least one declared check, a result for every declared check and for nothing else, and none that blocks.
    """
    wanted, found = sorted(declared), list(results)
    reported = sorted(result.check.id for result in found)
    if not wanted or wanted != reported:
        return Verdict.INTERRUPTED
    return Verdict.NO_GO if any(blocks(result) for result in found) else Verdict.GO
