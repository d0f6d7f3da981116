-- Rows without their partner in a table that they are computed from, an anti-join for each declared edge.
{% set edges = table.edges | selectattr('join') | list -%}
SELECT
  COUNTIF({% for edge in edges %}p{{ loop.index }}.found IS NULL{{ '' if loop.last else ' OR ' }}{% endfor %}) AS numerator,
  COUNT(*) AS denominator,
  -- No words at all would be an empty text to one engine and NULL to the other.
  NULLIF(ARRAY_TO_STRING([
    {% for edge in edges -%}
    IF(
      COUNTIF(p{{ loop.index }}.found IS NULL) > 0,
      CONCAT(CAST(COUNTIF(p{{ loop.index }}.found IS NULL) AS STRING), ' without {{ edge.table.name }}'),
      CAST(NULL AS STRING)
    ){{ '' if loop.last else ',' }}
    {% endfor %}
  ], ', '), '') AS detail
FROM {{ table.full_name }} AS c
{% for edge in edges -%}
{% set partner = 'p' ~ loop.index -%}
LEFT JOIN (
  SELECT DISTINCT {{ edge.join | join(', ') }}, TRUE AS found
  FROM {{ edge.table.full_name }}
  WHERE {{ edge.table.date_column }} BETWEEN @first_date AND @last_date
) AS {{ partner }}
  ON {% for column, expression in edge.join.items() %}{{ partner }}.{{ column }} = {{ expression }}{{ '' if loop.last else ' AND ' }}{% endfor %}
{% endfor -%}
WHERE c.{{ table.date_column }} BETWEEN @first_date AND @last_date
