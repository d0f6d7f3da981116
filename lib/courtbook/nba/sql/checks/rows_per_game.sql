-- Rows and games of the table; two rows a game are right.
SELECT
  COUNT(*) AS numerator,
  COUNT(DISTINCT game_id) AS denominator
FROM {{ table.full_name }}
WHERE game_date BETWEEN @first_date AND @last_date
