"""Every edge of the dependency graph is watched by something that can fail."""

import pytest
from courtbook.catalog import Edge, Layer, Table, load_catalog
from courtbook.warehouse.statement import render

CATALOG = load_catalog()
EDGES = [(table, edge) for table in CATALOG.processed for edge in table.edges]
PROCESSED = [(table, edge) for table, edge in EDGES if edge.table.layer is not Layer.RAW]


def name(edge: tuple[Table, Edge]) -> str:
    return f"{edge[0].name}-{edge[1].table.name}"


@pytest.mark.parametrize("edge", PROCESSED, ids=name)
def test_an_edge_between_processed_tables_has_an_anti_join_or_a_comparison_of_values(edge: tuple[Table, Edge]) -> None:
    table, read = edge
    own = [check for check in CATALOG.checks if check.table == table.name and check.sql]
    statements = {check.id: render("nba", f"checks/{check.sql}.sql", table=table).sql for check in own}
    watching = [name for name, sql in statements.items() if read.table.full_name in sql]
    kinds = {name.partition(".")[0] for name in watching}
    assert kinds & ({"orphans"} if read.join else {"wrong_order", "leakage"})


@pytest.mark.parametrize("edge", PROCESSED, ids=name)
def test_an_edge_between_processed_tables_says_how_far_it_looks_back(edge: tuple[Table, Edge]) -> None:
    windows = edge[1].window
    assert windows
    for window in windows:
        assert window in ("same date", "season") or window.partition(" ")[2] in ("days", "games")
        assert window in ("same date", "season") or int(window.partition(" ")[0]) > 0
    assert f"stale.{edge[0].name}" in {check.id for check in CATALOG.checks}


@pytest.mark.parametrize("table", CATALOG.processed, ids=lambda table: table.name)
def test_the_raw_layer_is_compared_both_ways(table: Table) -> None:
    """What raw rows make us expect is counted (rows, partial), and what they cannot explain (foreign, unexpected)."""
    kinds = {check.id.partition(".")[0] for check in CATALOG.checks if check.table == table.name}
    assert {"coverage", "rows", "partial", "gaps", "unexpected"} <= kinds
    assert ("foreign" in kinds) is not table.expected.allow_extra


@pytest.mark.parametrize("edge", [edge for edge in PROCESSED if edge[1].join], ids=name)
def test_a_join_names_columns_that_exist(edge: tuple[Table, Edge]) -> None:
    table, read = edge
    for column, expression in read.join.items():
        assert column in read.table.columns
        assert any(f"c.{own}" in expression for own in table.columns)
