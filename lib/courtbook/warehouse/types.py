"""Types as DuckDB calls them, and as GoogleSQL does."""

_TYPES = {
    "VARCHAR": "STRING", "BIGINT": "INT64", "INTEGER": "INT64", "SMALLINT": "INT64", "DOUBLE": "FLOAT64",
    "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "TIMESTAMP": "DATETIME",
    "DECIMAL": "NUMERIC",
}  # fmt: skip


def googlesql_type(kind: str) -> str:
    """Return the GoogleSQL name of one of DuckDB's types."""
    if kind.endswith("[]"):
        return f"ARRAY<{googlesql_type(kind.removesuffix('[]'))}>"
    bare, bracket, rest = kind.partition("(")
    return _TYPES.get(bare, bare) + bracket + rest
