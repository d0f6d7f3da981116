"""Google's own analyzer and reference evaluator: what a statement is to them, and what it yields."""

import ctypes
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from courtbook.catalog import load_catalog
from zetasql.api import CatalogBuilder, TableBuilder, TypeFactory
from zetasql.core import ZetaSqlLocalService
from zetasql.core.local_service import local_service_pb2 as messages
from zetasql.types import AnalyzerOptions, LanguageOptions, TypeKind, ZetaSQLBuiltinFunctionOptions

CATALOG = load_catalog()
TABLES = {table.full_name: table for table in CATALOG.tables.values()}
EPOCH = date(1970, 1, 1)
KINDS = {
    "STRING": TypeKind.TYPE_STRING, "INT64": TypeKind.TYPE_INT64, "FLOAT64": TypeKind.TYPE_DOUBLE,
    "BOOL": TypeKind.TYPE_BOOL, "DATE": TypeKind.TYPE_DATE, "TIMESTAMP": TypeKind.TYPE_TIMESTAMP,
    "NUMERIC": TypeKind.TYPE_NUMERIC, "JSON": TypeKind.TYPE_JSON,
}  # fmt: skip
LANGUAGE = LanguageOptions.maximum_features()
NAMES = {int(kind): name for name, kind in KINDS.items()}
PARAMETERS = {
    "dates": "ARRAY<DATE>", "first_date": "DATE", "last_date": "DATE", "history_from": "DATE", "seasons_from": "DATE",
    "skip_days": "INT64", "min_games": "INT64", "bootstrap_days": "INT64", "last_season": "INT64",
    "processed_at": "TIMESTAMP", "games": "ARRAY<STRING>", "counts": "BOOL", "day": "DATE",
    "range_start": "DATE", "range_end": "DATE", "rewritten": "ARRAY<STRING>",
}  # fmt: skip
Row = tuple[Any, ...]


def _type(name: str) -> Any:
    if name.startswith("ARRAY<"):
        return TypeFactory.create_array_type(_type(name[6:-1]))
    return TypeFactory.create_simple_type(KINDS[re.sub(r"\(.*|!", "", name)])


def _name(kind: Any) -> str:
    """Return the GoogleSQL name of a type as messages describe it."""
    if kind.HasField("array_type"):
        return f"ARRAY<{_name(kind.array_type.element_type)}>"
    return NAMES.get(kind.type_kind, str(kind.type_kind))


def _write(value: Any, kind: str, cell: Any) -> None:
    """Write a value into a message; one that is never written is NULL."""
    if value is None:
        return
    if kind.startswith("ARRAY<"):
        cell.array_value.SetInParent()
        for item in value:
            _write(item, kind[6:-1], cell.array_value.element.add())
    elif kind == "TIMESTAMP":
        cell.timestamp_value.FromDatetime(value)
    elif kind == "DATE":
        cell.date_value = (value - EPOCH).days
    else:
        setattr(cell, {"FLOAT64": "double"}.get(kind, kind.lower()) + "_value", value)


def _read(cell: Any, kind: str) -> Any:
    if cell.WhichOneof("value") is None:
        return None
    if kind.startswith("ARRAY<"):
        return [_read(item, kind[6:-1]) for item in cell.array_value.element]
    if kind == "TIMESTAMP":
        return cell.timestamp_value.ToDatetime()
    if kind == "DATE":
        return EPOCH + timedelta(days=cell.date_value)
    return getattr(cell, {"FLOAT64": "double"}.get(kind, kind.lower()) + "_value")


@dataclass(frozen=True)
class Analysis:
    """What the analyzer found: the names and types that a statement yields, the tables that it scans, and those of
    them that no condition on their date column restricts."""

    columns: tuple[tuple[str, str], ...]
    scanned: frozenset[str]
    unpruned: frozenset[str]


class Google:
    """One service, and as many catalogs of tables as are asked for."""

    def __init__(self) -> None:
        self._client = ZetaSqlLocalService.get_instance().wasm_client
        # The client copies byte by byte in Python: megabytes of rows would take seconds.
        memory = lambda: ctypes.addressof(self._client.memory.data_ptr().contents)  # noqa: E731
        self._client.write_bytes = lambda place, data: ctypes.memmove(memory() + place, data, len(data))
        self._client.read_bytes = lambda place, size: ctypes.string_at(memory() + place, size)
        given = [AnalyzerOptions.QueryParameter(name=name, type=_type(kind)) for name, kind in PARAMETERS.items()]
        self._options = AnalyzerOptions(language_options=LANGUAGE, query_parameters=given).to_proto()
        self._declared = self.register()

    def _call(self, method: str, request: Any, response: Any) -> Any:
        return self._client.call_grpc_func(f"ZetaSqlLocalService_{method}", request, response)

    def register(
        self, content: Mapping[str, Iterable[Row]] | None = None, columns: Mapping[str, Mapping[str, str]] | None = None
    ) -> int:
        """Make a catalog and return its id: tables with some rows, by name, and with other columns, by full name."""
        builder = CatalogBuilder("warehouse")
        for full_name, table in TABLES.items():
            declared = TableBuilder(table.name)
            for column, kind in (columns or {}).get(full_name, table.columns).items():
                declared = declared.add_column(column, _type(kind))
            builder = builder.add_table(declared.build())
        functions = ZetaSQLBuiltinFunctionOptions(language_options=LANGUAGE)
        catalog = builder.with_builtin_functions(functions).build().to_proto()
        request = messages.RegisterCatalogRequest(simple_catalog=catalog)
        for name, rows in (content or {}).items():
            kinds = CATALOG.tables[name].columns.values()
            data = request.table_content[name].table_data
            data.SetInParent()
            for row in rows:
                line = data.row.add()
                for value, kind in zip(row, kinds, strict=True):
                    _write(value, kind, line.cell.add())
        return int(self._call("RegisterCatalog", request, messages.RegisterResponse).registered_id)

    def analyze(self, sql: str, catalog: int = 0) -> Analysis:
        """Analyse a statement, by default against the declared schemas; whatever is not GoogleSQL raises."""
        request = messages.AnalyzeRequest(
            sql_statement=_flat(sql), registered_catalog_id=catalog or self._declared, options=self._options
        )
        statement = _inner(self._call("Analyze", request, messages.AnalyzeResponse).resolved_statement)
        listed = getattr(statement, "output_column_list", ())
        columns = tuple((item.name, _name(item.column.type)) for item in listed)
        if type(statement).__name__ == "ResolvedInsertStmtProto":
            columns = tuple((item.name, _name(item.type)) for item in statement.insert_column_list)
            statement = statement.query  # what it writes into is not read
        scanned = frozenset(scan.table.name for scan in _scans(statement))
        return Analysis(columns, scanned, frozenset(_unpruned(statement, ())))

    def evaluate(
        self, sql: str, values: Mapping[str, Any], catalog: int = 0
    ) -> tuple[list[tuple[str, str]], list[Row]]:
        """Run a query in the reference evaluator and return its columns with their types, and its rows."""
        request = messages.PrepareQueryRequest(
            sql=_flat(sql), registered_catalog_id=catalog or self._declared, options=self._options
        )
        prepared = self._call("PrepareQuery", request, messages.PrepareQueryResponse).prepared
        run = messages.EvaluateQueryRequest(prepared_query_id=prepared.prepared_query_id)
        for name in prepared.referenced_parameters:
            _write(values[name], PARAMETERS[name], run.params.add(name=name).value)
        table = self._call("EvaluateQuery", run, messages.EvaluateQueryResponse).content.table_data
        done = messages.UnprepareQueryRequest(prepared_query_id=prepared.prepared_query_id)
        self._call("UnprepareQuery", done, messages.UnprepareQueryRequest)
        columns = {column.name: _name(column.type) for column in prepared.columns}
        return columns, [tuple(map(_read, row.cell, columns.values())) for row in table.row]


def _flat(sql: str) -> str:
    """Name tables without their dataset: the analyzer's catalog is flat. A dataset that does not hold them raises."""
    return re.sub(r"\bnba_\w+\.\w+", lambda found: TABLES[found[0]].name, sql)


def _inner(message: Any) -> Any:
    """Return the node that a message wraps."""
    while message.DESCRIPTOR.oneofs and message.DESCRIPTOR.name.startswith("Any"):
        (which,) = message.DESCRIPTOR.oneofs
        if message.WhichOneof(which.name) is None:
            break
        message = getattr(message, message.WhichOneof(which.name))
    return message


def _parts(message: Any) -> Iterator[Any]:
    for field, value in message.ListFields():
        if field.message_type:
            yield from value if field.is_repeated else (value,)


def _scans(message: Any) -> Iterator[Any]:
    if type(message).__name__ == "ResolvedTableScanProto":
        yield message
    for part in _parts(message):
        yield from _scans(part)


def _conjuncts(expression: Any) -> Iterator[Any]:
    node = _inner(expression)
    if _function(node) == "$and":
        for argument in node.parent.argument_list:
            yield from _conjuncts(argument)
    else:
        yield node


def _function(node: Any) -> str:
    return node.parent.function.name.removeprefix("ZetaSQL:") if "FunctionCall" in type(node).__name__ else ""


def _is_constant(expression: Any) -> bool:
    node = _inner(expression)
    if _function(node):
        return all(map(_is_constant, node.parent.argument_list))
    return type(node).__name__ in ("ResolvedLiteralProto", "ResolvedParameterProto")


_RANGES = ("between", "equal", "greater", "greater_or_equal", "less", "less_or_equal", "in", "in_array", "is_null")


def _restricts(node: Any, column: int) -> bool:
    """Tell whether a condition compares a column with constants and parameters only, so that partitions are pruned."""
    if _function(node) == "$or":
        return all(_restricts(_inner(argument), column) for argument in node.parent.argument_list)
    if _function(node).removeprefix("$") not in _RANGES:
        return False
    arguments = [_inner(argument) for argument in node.parent.argument_list]
    own = [type(item).__name__ == "ResolvedColumnRefProto" and item.column.column_id == column for item in arguments]
    others = [item for item, is_own in zip(arguments, own, strict=True) if not is_own]
    return len(others) < len(arguments) and all(map(_is_constant, others))


def _unpruned(message: Any, held: Sequence[Any]) -> Iterator[str]:
    """Yield the tables that are scanned without a condition on their date column; ``held`` are those that reach it."""
    node = _inner(message)
    match type(node).__name__:
        case "ResolvedTableScanProto":
            name = node.table.name
            days = [item.column_id for item in node.parent.column_list if item.name == CATALOG.tables[name].date_column]
            if days and not any(_restricts(condition, days[0]) for condition in held):
                yield name
        case "ResolvedFilterScanProto":
            yield from _unpruned(node.input_scan, [*held, *_conjuncts(node.filter_expr)])
            yield from _unpruned(node.filter_expr, ())
        case "ResolvedJoinScanProto":
            # Conditions after a join reach what it preserves; whether those of the join itself do, nobody promises.
            left, right = {0: (held, held), 1: (held, ()), 2: ((), held), 3: ((), ())}[node.join_type]
            yield from _unpruned(node.left_scan, left)
            yield from _unpruned(node.right_scan, right)
            yield from _unpruned(node.join_expr, ())
        case "ResolvedArrayScanProto":
            yield from _unpruned(node.input_scan, held)
        case "ResolvedProjectScanProto":  # conditions reach through what only adds columns
            yield from _unpruned(node.input_scan, held)
            for column in node.expr_list:
                yield from _unpruned(column, ())
        case "ResolvedDeleteStmtProto" | "ResolvedUpdateStmtProto":
            where = [*_conjuncts(node.where_expr)]
            for part in (node.table_scan, getattr(node, "from_scan", None)):
                if part is not None and part.ByteSize():
                    yield from _unpruned(part, where)
            yield from _unpruned(node.where_expr, ())
        case _:
            for part in _parts(node):
                yield from _unpruned(part, ())
