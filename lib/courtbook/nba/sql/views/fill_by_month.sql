-- Filled shares of the columns that broke before, by month.
SELECT
  DATE_TRUNC(game_date, MONTH) AS month,
  COUNTIF(minutes_played IS NOT NULL) / COUNT(*) AS minutes_played,
  COUNTIF(usage_rate IS NOT NULL) / COUNT(*) AS usage_rate,
  COUNTIF(paint_attempts IS NOT NULL) / COUNT(*) AS shot_zones
FROM nba_analytics.player_game_summary
WHERE game_date BETWEEN @first_date AND @last_date
GROUP BY month
ORDER BY month
