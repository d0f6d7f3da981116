"""Statements: GoogleSQL files and templates, rendered by name."""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import jinja2


@dataclass(frozen=True)
class Statement:
    """One GoogleSQL statement, ready for a warehouse.

    Attributes
    ----------
    name : str
        The file that it comes from, for records and errors.
    sql : str
        GoogleSQL with ``@named`` parameters.
    """

    name: str
    sql: str


@cache
def _environment(domain: str) -> jinja2.Environment:
    # Nothing is escaped: names of tables and columns come from the catalog, values only ever as parameters.
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(f"courtbook.{domain}", "sql"), jinja2.PackageLoader("courtbook", "sql")]
        ),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701
    )


def render(domain: str, name: str, **names: Any) -> Statement:
    """Render the statement of a file; ``names`` are identifiers and catalog entries, never values."""
    return Statement(name, _environment(domain).get_template(name).render(**names).strip() + "\n")


@lru_cache(maxsize=256)
def to_duckdb(sql: str) -> tuple[str, frozenset[str]]:
    """Translate GoogleSQL into DuckDB's dialect.

    Returns
    -------
    tuple of str and frozenset of str
        The translated statement and the names of the parameters that it uses.
    """
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(sql, read="bigquery")
    if isinstance(tree, exp.Create):
        tree.set("properties", None)  # partitions and clusters: DuckDB prunes by its own statistics
    for division in tree.find_all(exp.IntDiv):
        # SQLGlot writes DIV(a + b, c) as a + b // c: operands keep their brackets only if they have some.
        for operand in ("this", "expression"):
            if isinstance(division.args[operand], exp.Binary):
                division.set(operand, exp.paren(division.args[operand]))
    names = frozenset(str(parameter.this) for parameter in tree.find_all(exp.Parameter))
    return tree.sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE), names
