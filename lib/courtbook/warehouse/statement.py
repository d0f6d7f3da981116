"""Statements: GoogleSQL files and templates, rendered by name."""

import json
import os
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

from courtbook.errors import Reason, WarehouseError

if TYPE_CHECKING:
    from sqlglot import exp


@dataclass(frozen=True)
class Statement:
    """One GoogleSQL statement, ready for a warehouse.

    Attributes
    ----------
    name : str
        The file that it comes from, for records and errors.
    sql : str
        GoogleSQL with ``@named`` parameters.
    table : str
        The table that it is about, if it is about one.
    """

    name: str
    sql: str
    table: str = ""


def parameters_of(sql: str) -> frozenset[str]:
    """Return the names of the parameters that a statement uses."""
    return frozenset(re.findall(r"@(\w+)", sql))


def _defect(name: str, error: Exception) -> WarehouseError:
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return WarehouseError(
        Reason.QUERY_FAILED,
        f"The statement cannot be made: {line}",
        where=name,
        next_action="Restore the SQL files of the package; if they are unchanged, report this line.",
    )


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
    table = getattr(names.get("table"), "name", "")
    try:
        return Statement(name, _environment(domain).get_template(name).render(**names).strip() + "\n", table)
    except jinja2.TemplateError as error:
        raise _defect(name, error) from error


@lru_cache(maxsize=256)
def to_duckdb(sql: str) -> tuple[str, frozenset[str]]:
    """Translate GoogleSQL into DuckDB's dialect.

    Translations are kept in the user's cache: to make all of a run anew takes every process a second.

    Returns
    -------
    tuple of str and frozenset of str
        The translated statement and the names of the parameters that it uses.
    """
    kept = _kept(sql)
    with suppress(OSError, ValueError, LookupError, TypeError):  # not there, or damaged: it is made anew
        found = json.loads(kept.read_bytes())
        return str(found["sql"]), frozenset(found["names"])
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
        names = frozenset(parameter.name for parameter in tree.find_all(exp.Parameter))
        translated = _translate(tree)
    except sqlglot.errors.SqlglotError as error:
        raise _defect(sql.strip().splitlines()[0] if sql.strip() else "an empty statement", error) from error
    with suppress(OSError):  # where nothing can be kept it only takes longer
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f".{uuid.uuid4().hex}")
        temporary.write_text(json.dumps({"sql": translated, "names": sorted(names)}), encoding="utf-8")
        temporary.replace(kept)
    return translated, names


@cache
def _translator() -> bytes:
    """Return what tells this translator from any other: the version of SQLGlot, and this file."""
    return metadata.version("sqlglot").encode() + Path(__file__).read_bytes()


def _kept(sql: str) -> Path:
    """Return the file in which the translation of a statement is kept."""
    home = os.environ.get("XDG_CACHE_HOME") or f"{os.environ.get('HOME', '')}/.cache"
    return Path(home) / "courtbook" / "sql" / f"{sha256(_translator() + sql.encode()).hexdigest()}.json"


def _translate(tree: "exp.Expr") -> str:
    import sqlglot
    from sqlglot import exp

    if isinstance(tree, exp.Create):
        tree.set("properties", None)  # partitions and clusters: DuckDB prunes by its own statistics
    for counted in list(tree.find_all(exp.CountIf)):
        # DuckDB's COUNT_IF is NULL where no condition is known; GoogleSQL's COUNTIF is 0.
        known = exp.Case(ifs=[exp.If(this=counted.this.copy(), true=exp.Literal.number(1))])
        counted.replace(exp.Count(this=known))
    for division in list(tree.find_all(exp.IntDiv)):
        # SQLGlot writes DIV(a + b, c) as a + b // c, and c * DIV(a, b) as c * a // b: it loses the call's brackets.
        for operand in ("this", "expression"):
            if isinstance(division.args[operand], exp.Binary):
                division.set(operand, exp.paren(division.args[operand], copy=False))
        if isinstance(division.parent, exp.Binary):
            brackets = exp.Paren()
            division.replace(brackets)
            brackets.set("this", division)
    return str(tree.sql(dialect="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE))
