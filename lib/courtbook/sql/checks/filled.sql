-- Rows in which a column has a value.
SELECT
  COUNTIF({{ column }} IS NOT NULL) AS numerator,
  COUNT(*) AS denominator
FROM {{ table.full_name }}
WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
