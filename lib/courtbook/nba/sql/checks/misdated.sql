-- Rows without a date or with one that lies ahead: no range ever holds them. A row a table that has any.
{% set tables = catalog.processed -%}
SELECT
  SUM(row_count) AS numerator,
  {{ tables | length }} AS denominator,
  STRING_AGG(IF(row_count > 0, CONCAT(name, ' ', CAST(row_count AS STRING)), NULL), ', ' ORDER BY name) AS detail
FROM (
  {% for table in tables -%}
  SELECT '{{ table.name }}' AS name, COUNT(*) AS row_count
  FROM {{ table.full_name }}
  WHERE {{ table.date_column }} IS NULL OR {{ table.date_column }} > DATE_ADD(CURRENT_DATE(), INTERVAL 7 DAY)
  {{ '' if loop.last else 'UNION ALL' }}
  {% endfor -%}
) AS counted
