-- Counted games for which any source has player rows.
WITH
{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %},

played AS (
  SELECT DISTINCT game_id
  FROM box_scores
)

SELECT
  COUNT(p.game_id) AS numerator,
  COUNT(*) AS denominator
FROM counted_games AS g
LEFT JOIN played AS p ON p.game_id = g.game_id
WHERE g.game_date BETWEEN @first_date AND @last_date
