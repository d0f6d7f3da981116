"""What stands for columns that a warehouse does not have: the operator's tables are not in every column like ours."""

import re
from collections.abc import Callable, Mapping
from functools import cached_property

from courtbook.catalog import Table, load_catalog

_READ = re.compile(r"(?<!DELETE )\b(FROM|JOIN) (\w+\.\w+)\b")
_COLUMN = re.compile(r"\bt\.(\w+)")


class StandIns:
    """Rewrites statements for one warehouse: what its tables lack is read as the catalog declares (``otherwise``).

    Parameters
    ----------
    columns : callable
        Reads the columns that exist, by ``dataset.table``. Asked once, with the first statement.
    """

    def __init__(self, domain: str, columns: Callable[[], Mapping[str, Mapping[str, str]]]) -> None:
        self._domain = domain
        self._columns = columns

    @cached_property
    def _subqueries(self) -> Mapping[str, str]:
        there, tables = self._columns(), load_catalog(self._domain).tables.values()
        made = {
            table.full_name: _subquery(table, there.get(table.full_name, {})) for table in tables if table.otherwise
        }
        return {name: sql for name, sql in made.items() if sql}

    def forget(self) -> None:
        """Look at the columns anew: tables were made."""
        self.__dict__.pop("_subqueries", None)

    def __call__(self, sql: str) -> str:
        """Return a statement as it can be run; where nothing is lacking, unchanged."""
        return _READ.sub(lambda found: f"{found[1]} {self._subqueries.get(found[2], found[2])}", sql)


def _subquery(table: Table, there: Mapping[str, str]) -> str:
    lacking = {column: other or "NULL" for column, other in table.otherwise.items() if column not in there}
    possible = {column: other for column, other in lacking.items() if there.keys() >= set(_COLUMN.findall(other))}
    added = ", ".join(f"CAST({other} AS {table.columns[column]}) AS {column}" for column, other in possible.items())
    if there:
        return f"(SELECT t.*, {added} FROM {table.full_name} AS t)" if added else ""  # noqa: S608 - by the catalog
    # What stands for a whole table has no rows; that is possible only if nothing of it is needed.
    return f"(SELECT {added} LIMIT 0)" if possible.keys() == table.columns.keys() else ""
