-- Team rows whose points lie within two of the sum of their players' points. Games without player rows count as wrong.
WITH
{% include 'shared/games.sql' %},

sums AS (
  SELECT
    game_id,
    team_abbr,
    SUM(points) AS points
  FROM nba_analytics.player_game_summary
  WHERE game_date BETWEEN @first_date AND @last_date
  GROUP BY game_id, team_abbr
)

SELECT
  COUNTIF(ABS(o.points_scored - s.points) <= 2) AS numerator,
  COUNT(*) AS denominator
FROM nba_analytics.team_offense_game_summary AS o
JOIN team_games AS t ON t.game_id = o.game_id AND t.team_abbr = o.team_abbr
LEFT JOIN sums AS s ON s.game_id = o.game_id AND s.team_abbr = o.team_abbr
WHERE o.game_date BETWEEN @first_date AND @last_date
