-- Usage rate where it is defined: gamebook rows with minutes.
SELECT
  COUNTIF(usage_rate IS NOT NULL) AS numerator,
  COUNT(*) AS denominator
FROM nba_analytics.player_game_summary
WHERE game_date BETWEEN @first_date AND @last_date
  AND primary_source_used = 'nbac_gamebook'
  AND minutes_played > 0
