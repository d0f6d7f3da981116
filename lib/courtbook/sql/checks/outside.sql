-- Rows in which a column lies outside the range that its meaning allows.
SELECT
  COUNTIF({{ column }} < @low OR {{ column }} > @high) AS numerator,
  COUNT({{ column }}) AS denominator
FROM {{ table.full_name }}
WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
