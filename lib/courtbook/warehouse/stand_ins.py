"""What stands for columns that a warehouse does not have: the operator's tables are not in every column like ours."""

import re
from collections.abc import Callable, Mapping
from functools import cached_property

from courtbook.catalog import Table, load_catalog

_READ = re.compile(r"(?<!DELETE )\b(FROM|JOIN) (\w+\.\w+)\b")
_COLUMN = re.compile(r"\bt\.(\w+)")
Columns = Mapping[str, Mapping[str, str]]


def standing_in(table: Table, there: Mapping[str, str]) -> dict[str, str]:
    """Return what stands for columns of a table that has the columns ``there``: what refers to no other ones."""
    known = {column: other or "NULL" for column, other in table.otherwise.items()}
    return {column: other for column, other in known.items() if there.keys() >= set(_COLUMN.findall(other))}


class StandIns:
    """Rewrites statements for one warehouse: what its tables lack is read as the catalog declares (``otherwise``).

    Parameters
    ----------
    columns : callable
        Reads the columns that exist, by ``dataset.table``. Asked once, with the first statement.
    """

    def __init__(self, domain: str, columns: Callable[[], Columns]) -> None:
        self._domain = domain
        self._columns = columns

    @cached_property
    def _found(self) -> tuple[Mapping[str, Table], Columns]:
        tables = load_catalog(self._domain).tables.values()
        return {table.full_name: table for table in tables if table.otherwise}, self._columns()

    def forget(self) -> None:
        """Look at the columns anew: tables were made."""
        self.__dict__.pop("_found", None)

    def __call__(self, sql: str) -> str:
        """Return a statement as it can be run; where nothing that it names is lacking, unchanged."""
        return _READ.sub(lambda found: f"{found[1]} {self._place(found[2], sql)}", sql)

    def _place(self, name: str, sql: str) -> str:
        """Return the table of this name, or a subquery that adds the columns that a statement names and it lacks."""
        tables, existing = self._found
        if name not in tables:
            return name
        table, there = tables[name], existing.get(name, {})
        lacking = {column: other for column, other in standing_in(table, there).items() if column not in there}
        added = [
            f"CAST({other} AS {table.columns[column]}) AS {column}"
            for column, other in lacking.items()
            if re.search(rf"\b{column}\b", sql)
        ]
        if not there and lacking.keys() == table.columns.keys():
            return f"(SELECT {', '.join(added)} LIMIT 0)"  # nothing of it is needed
        return f"(SELECT t.*, {', '.join(added)} FROM {name} AS t)" if there and added else name  # noqa: S608
