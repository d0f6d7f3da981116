-- Rows whose key stands in the table more than once, beyond the first.
SELECT
  SUM(copies - 1) AS numerator,
  SUM(copies) AS denominator
FROM (
  SELECT COUNT(*) AS copies
  FROM {{ table.full_name }}
  WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
  GROUP BY {{ table.key | join(', ') }}
) AS grouped
