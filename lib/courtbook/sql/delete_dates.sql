DELETE FROM {{ table.full_name }}
WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
  AND {{ table.date_column }} IN UNNEST(@dates)
