-- Rows in which a flag is true.
SELECT
  COUNTIF({{ column }}) AS numerator,
  COUNT(*) AS denominator
FROM {{ table.full_name }}
WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
