-- Rows with a NULL in a key column.
SELECT
  COUNTIF({% for column in table.key %}{{ column }} IS NULL{{ '' if loop.last else ' OR ' }}{% endfor %}) AS numerator,
  COUNT(*) AS denominator
FROM {{ table.full_name }}
WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
