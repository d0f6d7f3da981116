-- Counted games of the range, and those of them that the table holds under the right game id.
WITH
{% include 'shared/games.sql' %},

held AS (
  SELECT DISTINCT game_id
  FROM {{ table.full_name }}
  WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
)

SELECT
  COUNT(h.game_id) AS numerator,
  COUNT(*) AS denominator
FROM counted_games AS g
LEFT JOIN held AS h ON h.game_id = g.game_id
WHERE g.game_date BETWEEN @first_date AND @last_date
