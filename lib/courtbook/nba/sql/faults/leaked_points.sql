-- Let the ten-game mean of points include the date's own game, from a date on.
UPDATE nba_precompute.player_daily_cache AS c
SET points_avg_last_10 = m.points
FROM (
  WITH
  {% include 'shared/games.sql' %}

  SELECT
    p.game_date,
    p.player_lookup,
    AVG(p.points) OVER (
      PARTITION BY p.player_lookup, p.season_year ORDER BY p.game_date ROWS BETWEEN 9 PRECEDING AND CURRENT ROW
    ) AS points
  FROM nba_analytics.player_game_summary AS p
  JOIN counted_games AS g ON g.game_id = p.game_id
  WHERE p.game_date BETWEEN @history_from AND @last_date
) AS m
WHERE m.game_date = c.cache_date
  AND m.player_lookup = c.player_lookup
  AND c.cache_date >= @day
