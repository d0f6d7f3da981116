"""What GoogleSQL allows and BigQuery does not, which neither the analyzer nor an emulator finds."""

from collections.abc import Iterator

import pytest
import sqlglot
from judge.statements import emitted
from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

# A name a statement: those of one file differ by table and checks only.
SHAPES = {(item.statement.name, item.table.name if item.table else ""): item.statement.sql for item in emitted()}


def parse(sql: str) -> exp.Expression:
    return sqlglot.parse_one(sql, read="bigquery")


def _equals_both_sides(condition: exp.Expression, right: str) -> bool:
    if not isinstance(condition, exp.EQ):
        return False
    left, other = ({column.table for column in side.find_all(exp.Column)} for side in (condition.left, condition.right))
    return any(one == {right} and two and right not in two for one, two in ((left, other), (other, left)))


def loose_joins(tree: exp.Expression) -> Iterator[str]:
    """Yield outer joins without an equality of fields from both sides."""
    for join in tree.find_all(exp.Join):
        if join.side and not isinstance(join.this, exp.Unnest):
            condition = join.args["on"]
            parts = condition.flatten() if isinstance(condition, exp.And) else [condition]
            if not any(_equals_both_sides(part.unnest(), join.alias_or_name) for part in parts):
                yield join.sql("bigquery")


def tied_subqueries(tree: exp.Expression) -> Iterator[str]:
    """Yield subqueries that read a table and lean on the row around them: not all of them can be taken apart."""
    query = tree.find(exp.Query)
    for scope in traverse_scope(query) if query else ():
        tables = [source for _, source in scope.selected_sources.values() if isinstance(source, exp.Table)]
        if scope.is_subquery and scope.external_columns and tables:
            yield scope.expression.sql("bigquery")


def windows_of_dates(tree: exp.Expression) -> Iterator[str]:
    """Yield windows by value whose key is no number."""
    for window in tree.find_all(exp.Window):
        spec = window.args.get("spec")
        if spec is not None and spec.args.get("kind") == "RANGE":
            (key,) = window.args["order"].expressions
            if not isinstance(key.this, exp.UnixDate):
                yield window.sql("bigquery")


@pytest.mark.parametrize("shape", sorted(SHAPES), ids="-".join)
def test_a_statement_keeps_to_what_bigquery_can_do(shape: tuple[str, str]) -> None:
    tree = parse(SHAPES[shape])
    assert [*loose_joins(tree), *tied_subqueries(tree), *windows_of_dates(tree)] == []


@pytest.mark.parametrize(
    ("find", "sql"),
    [
        (loose_joins, "SELECT a.x FROM a LEFT JOIN b ON b.x < a.x"),
        (loose_joins, "SELECT a.x FROM a FULL OUTER JOIN b ON b.x = 1 AND b.y > a.y"),
        (tied_subqueries, "SELECT a.x, (SELECT MAX(b.x) FROM b WHERE b.y < a.y) AS m FROM a"),
        (tied_subqueries, "SELECT a.x FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.y < a.y)"),
        (windows_of_dates, "SELECT SUM(x) OVER (ORDER BY day RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING) FROM a"),
    ],
)
def test_what_bigquery_cannot_do_is_found(find, sql) -> None:
    assert len(list(find(parse(sql)))) == 1
