"""What tables hold, by date, as digests: months later they tell whether it is still the same, and if not, where."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any

from courtbook.catalog import Table
from courtbook.errors import CourtbookError, ParameterError, Reason
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.statement import render

WRITTEN = "processed_at"  # says when a row was written, not what it holds
UNDATED = "undated"  # stands for the date where a table has no column of dates
DIGITS = 16
AT_ONCE = 2  # a table of some 100,000 rows keeps DuckDB busy on one core only


@dataclass(frozen=True)
class Fingerprint:
    """The content of one table over a range of dates.

    Numbers with a fraction count to their sixth decimal: a table that was written anew from the same inputs has other
    last digits here and there. The same rows have the same digest on either engine, lists of more than 32 numbers
    excepted; the tests compare DuckDB's with those of Google's reference implementation.

    Attributes
    ----------
    table : str
        Name of the table.
    rows : int or None
        Rows in the range; None where the table does not exist.
    digest : str
        SHA-256 over the columns and over all dates with their rows and whole digests; empty where there is no table.
    dates : mapping of str to tuple of int and str
        Rows and the first 16 digits of the digest of each date that has rows; one entry, ``undated``, for a table that
        has no column of dates.
    columns : tuple of str
        The columns that were read.
    """

    table: str
    rows: int | None
    digest: str
    dates: Mapping[str, tuple[int, str]]
    columns: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return the fingerprint as JSON takes it."""
        return {
            "table": self.table,
            "rows": self.rows,
            "digest": self.digest,
            "dates": {day: list(self.dates[day]) for day in sorted(self.dates)},
            "columns": list(self.columns),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Fingerprint":
        """Return the fingerprint of a record.

        Raises
        ------
        CourtbookError
            If the record has another form than :meth:`record` gives it.
        """
        try:
            found = cls(
                table=record["table"],
                rows=record["rows"],
                digest=record["digest"],
                dates={day: (rows, digest) for day, (rows, digest) in record["dates"].items()},
                columns=tuple(record["columns"]),
            )
            held = sum(rows for rows, _ in found.dates.values()) if found.digest else None
            if found.rows != held or found.record() != dict(record):
                raise ValueError("rows that its dates do not have, or more than a fingerprint")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CourtbookError(
                Reason.BAD_FILE,
                "This is not the fingerprint of a table.",
                where=str(record)[:80],
                next_action="Restore the file that holds it from a copy.",
            ) from error
        return found


def read_fingerprints(
    warehouse: Warehouse,
    tables: Iterable[Table],
    first: date,
    last: date,
    *,
    then: Mapping[str, Fingerprint] | None = None,
    domain: str = "nba",
) -> dict[str, Fingerprint]:
    """Read the fingerprints of some tables over a range, by table name: one query a table, one for their columns.

    Rows that name no date lie in no range and do not count.

    Parameters
    ----------
    first, last : date
        The range, both ends included.
    then : mapping, optional
        Earlier fingerprints. Of a table that is among them the same columns are read again; of others, and by
        default, those that the catalog declares, without the one that says when a row was written.

    Raises
    ------
    ParameterError
        If the range ends before it begins: nothing would differ from nothing.
    """
    if first > last:
        raise ParameterError(
            f"The range ends on {last}, before it begins on {first}.", where="range", next_action="Swap the two dates."
        )

    def read(table: Table) -> Fingerprint:
        existing = present.get(table.full_name)
        if existing is None:
            return Fingerprint(table.name, None, "", {})
        earlier = (then or {}).get(table.name)
        wanted = (earlier and earlier.columns) or [column for column in table.columns if column != WRITTEN]
        columns = {column: existing[column] for column in wanted if column in existing}
        dated = table.date_column in existing
        statement = render(domain, "fingerprint.sql", table=table, columns=columns, dated=dated)
        frame = warehouse.query(statement, {"first_date": first, "last_date": last} if dated else {})
        found = [
            (str(day), int(rows), str(digest))
            for day, rows, digest in zip(frame["day"], frame["row_count"], frame["digest"], strict=True)
        ]
        text = json.dumps([list(columns), found], separators=(",", ":"))
        return Fingerprint(
            table=table.name,
            rows=sum(rows for _, rows, _ in found),
            digest=hashlib.sha256(text.encode()).hexdigest(),
            dates={day: (rows, digest[:DIGITS]) for day, rows, digest in found},
            columns=tuple(columns),
        )

    with warehouse.session(), ThreadPoolExecutor(AT_ONCE) as pool:
        present = warehouse.columns()
        return {item.table: item for item in pool.map(read, tables)}


def differences(then: Mapping[str, Fingerprint], now: Mapping[str, Fingerprint]) -> tuple[str, ...]:
    """Say in words what differs, a line for each table; both must have been read over the same range."""
    names = dict.fromkeys([*then, *now])
    return tuple(line for name in names if (line := _difference(name, then.get(name), now.get(name))))


def _difference(name: str, then: Fingerprint | None, now: Fingerprint | None) -> str:
    if then is None or now is None:
        return f"{name} was read {'now' if then is None else 'then'} only"
    if then == now:
        return ""
    if then.rows is None or now.rows is None:
        return f"{name} is {'new' if then.rows is None else 'gone'}"
    parts = [f"column {column} gone" for column in then.columns if column not in now.columns]
    parts += [f"column {column} new" for column in now.columns if column not in then.columns]
    both = then.dates.keys() & now.dates.keys()
    kinds = {
        "changed": sorted(day for day in both if then.dates[day] != now.dates[day]),
        "gone": sorted(then.dates.keys() - both),
        "new": sorted(now.dates.keys() - both),
    }
    noun = True
    for word, days in kinds.items():
        if days:
            dates = f" date{'s' if len(days) > 1 else ''}" if noun else ""
            span = days[0] if len(days) == 1 else f"{days[0]} .. {days[-1]}"
            parts.append(f"{len(days):,}{dates} {word} ({span})")
            noun = False
    if then.rows != now.rows:
        parts.append(f"{now.rows:,} rows instead of {then.rows:,}")
    return f"{name}: {', '.join(parts) or 'another digest, although its dates agree'}"
