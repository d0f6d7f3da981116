-- The mean of a column, as sum and count.
SELECT
  SUM({{ column }}) AS numerator,
  COUNT({{ column }}) AS denominator
FROM {{ table.full_name }}
WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
