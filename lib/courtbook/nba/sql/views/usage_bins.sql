-- Usage rates in bins of two percent.
SELECT
  CAST(2 * FLOOR(usage_rate / 2) AS FLOAT64) AS low,
  CAST(2 AS FLOAT64) AS width,
  COUNT(*) AS `count`
FROM nba_analytics.player_game_summary
WHERE game_date BETWEEN @first_date AND @last_date
  AND usage_rate IS NOT NULL
GROUP BY low
ORDER BY low
