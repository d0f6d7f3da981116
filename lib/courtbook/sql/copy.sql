-- The rows of one table on the dates of a range, with all columns that it has.
SELECT
  {{ columns | join(',\n  ') }}
FROM {{ table.full_name }}
WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
