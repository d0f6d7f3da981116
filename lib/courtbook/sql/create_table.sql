CREATE TABLE IF NOT EXISTS {{ table.full_name }} (
  {% for name, kind in table.columns.items() -%}
  {{ name }} {{ kind }}{{ '' if loop.last else ',' }}
  {% endfor -%}
)
PARTITION BY {{ table.date_column }}
CLUSTER BY {{ (table.key | reject('equalto', table.date_column) | list)[:4] | join(', ') }}
OPTIONS (require_partition_filter = TRUE)
