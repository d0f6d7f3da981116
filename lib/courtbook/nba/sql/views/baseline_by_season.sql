-- How well the mean of the last ten games predicts points, by season.
SELECT
  p.season_year AS season,
  COUNT(*) AS player_games,
  AVG(CAST(ABS(p.points - c.points_avg_last_10) AS FLOAT64)) AS mean_absolute_error,
  AVG(CAST(p.points - c.points_avg_last_10 AS FLOAT64)) AS bias
FROM nba_precompute.player_daily_cache AS c
JOIN nba_analytics.player_game_summary AS p
  ON p.game_date = c.cache_date AND p.player_lookup = c.player_lookup
WHERE c.cache_date BETWEEN @first_date AND @last_date
  AND p.game_date BETWEEN @first_date AND @last_date
GROUP BY season
ORDER BY season
