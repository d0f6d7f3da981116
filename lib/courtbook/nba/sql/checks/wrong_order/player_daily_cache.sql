-- Rows whose copies of the shot zones are not what player_shot_zone_analysis holds: written before it, or not since.
SELECT
  COUNTIF(
    z.paint_rate_last_10 IS NOT NULL AND NOT c.shot_zone_data_available
    OR z.paint_rate_last_10 IS NOT NULL AND NOT COALESCE(ABS(c.paint_rate_last_10 - z.paint_rate_last_10) <= 0.01, FALSE)
  ) AS numerator,
  COUNT(*) AS denominator
FROM nba_precompute.player_daily_cache AS c
LEFT JOIN (SELECT * FROM nba_precompute.player_shot_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS z
  ON z.analysis_date = c.cache_date AND z.player_lookup = c.player_lookup
WHERE c.cache_date BETWEEN @first_date AND @last_date
