"""One protocol, two implementations: an embedded DuckDB file and BigQuery."""
