-- When the youngest row of some tables was made: what is written next must be younger, whatever the clock says.
SELECT MAX(processed_at) AS newest
FROM (
  {% for table in tables -%}
  SELECT MAX(processed_at) AS processed_at
  FROM {{ table.full_name }}
  WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
  {{ '' if loop.last else 'UNION ALL' }}
  {% endfor -%}
)
