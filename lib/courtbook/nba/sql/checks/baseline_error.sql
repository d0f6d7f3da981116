-- Mean absolute error, in points, of the simplest model: the mean of the last ten games.
SELECT
  SUM(ABS(p.points - c.points_avg_last_10)) AS numerator,
  COUNT(*) AS denominator
FROM nba_precompute.player_daily_cache AS c
JOIN nba_analytics.player_game_summary AS p
  ON p.game_date = c.cache_date AND p.player_lookup = c.player_lookup
WHERE c.cache_date BETWEEN @first_date AND @last_date
  AND p.game_date BETWEEN @first_date AND @last_date
