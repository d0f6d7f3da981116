"""What a check found, and what several findings amount to."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Protocol

from courtbook.catalog import Check, Severity


class Status(Enum):
    """How a check ended, best first. NO_DATA and ERROR are no milder than FAIL."""

    PASS = "PASS"  # noqa: S105 - not a password
    WARN = "WARN"
    NO_DATA = "NO_DATA"
    FAIL = "FAIL"
    ERROR = "ERROR"


class Verdict(Enum):
    """What a gate, a step or a run may say. Only GO is GO.

    MARGINAL: no critical check failed, but one lies in the band that its document calls marginal and nobody waived it.
    DEGRADED: a gate said no and was overridden by name.
    """

    GO = "GO"
    MARGINAL = "MARGINAL"
    DEGRADED = "DEGRADED"
    NO_GO = "NO-GO"
    INTERRUPTED = "INTERRUPTED"


def _finite(number: float | None) -> float | None:
    """Return a number as JSON can hold it: neither infinite nor NaN."""
    return number if number is None or math.isfinite(number) else None


@dataclass(frozen=True)
class CheckResult:
    """One check with all that is needed to follow its conclusion.

    ``excuse`` says who accepted a result that is not as it should be, and why; empty where nobody did. ``dates`` are
    the dates concerned, all of them. ``job`` names the query; checks that share one were answered by the same query.
    """

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
    job: str = ""
    detail: str = ""
    dates: tuple[date, ...] = ()
    excuse: str = ""
    floor: float | None = None

    def record(self) -> dict[str, Any]:
        """Return the result as ``result.json`` holds it."""
        check = self.check
        return {
            "id": check.id,
            "title": check.title,
            "table": check.table,
            "severity": check.severity.value,
            "status": self.status.value,
            "numerator": _finite(self.numerator),
            "denominator": _finite(self.denominator),
            "value": _finite(self.value),
            "unit": check.unit,
            "minimum": _finite(self.minimum),
            "floor": _finite(self.floor),
            "maximum": _finite(self.maximum),
            "overridden": self.overridden,
            "excuse": self.excuse,
            "rule": check.rule,
            "source": check.source,
            "why": check.why,
            "causes": check.causes,
            "repair": check.repair,
            "command": check.command,
            "detail": self.detail,
            "dates": [day.isoformat() for day in self.dates],
            "sql": self.sql,
            "job": self.job,
            "seconds": round(self.seconds, 3),
        }


class Rated(Protocol):
    """A check as far as the verdict depends on it: live from the catalog, or read from a record."""

    @property
    def id(self) -> str:
        """Its name."""
        ...

    @property
    def severity(self) -> Severity:
        """Whether it stands in the way if it does not pass."""
        ...


class Reported(Protocol):
    """A result as far as the verdict depends on it."""

    @property
    def check(self) -> Rated:
        """The check."""
        ...

    @property
    def status(self) -> Status:
        """How it ended."""
        ...

    @property
    def excuse(self) -> str:
        """Who accepted it, and why; empty where nobody did."""
        ...


def judge(
    check: Rated, value: float | None, *, minimum: float | None, maximum: float | None, floor: float | None = None
) -> Status:
    """Decide one check.

    Without a value it is NO_DATA, inside its bounds PASS. Below the minimum but not below the floor it is WARN. Outside
    all of these it is FAIL, unless the check only warns and has no floor.
    """
    if value is None or math.isnan(value):
        return Status.NO_DATA
    below, above = minimum is not None and not value >= minimum, maximum is not None and not value <= maximum
    if not below and not above:
        return Status.PASS
    if floor is not None:
        return Status.WARN if value >= floor and not above else Status.FAIL
    return Status.FAIL if check.severity is Severity.CRITICAL else Status.WARN


def blocks(result: Reported) -> bool:
    """Tell whether a result stands in the way of GO: any failure or error, and a critical check that is not PASS."""
    if result.status in (Status.FAIL, Status.ERROR):
        return True
    critical = result.check.severity is Severity.CRITICAL
    return critical and (result.status is Status.NO_DATA or (result.status is Status.WARN and not result.excuse))


def verdict(declared: Iterable[str], results: Iterable[Reported]) -> Verdict:
    """Decide over several checks.

    GO needs at least one declared check, a result for every declared check and for nothing else, and none that blocks.
    MARGINAL if all that blocks are critical checks in their marginal band.
    """
    wanted, found = sorted(declared), list(results)
    reported = sorted(result.check.id for result in found)
    if not wanted or wanted != reported:
        return Verdict.INTERRUPTED
    blocking = {result.status for result in found if blocks(result)}
    if not blocking:
        return Verdict.GO
    return Verdict.MARGINAL if blocking == {Status.WARN} else Verdict.NO_GO
