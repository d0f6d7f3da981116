-- Phase 4 rows of the last date of the range, to look at.
SELECT
  f.game_date,
  f.player_lookup AS player,
  c.points_avg_last_10,
  c.player_usage_rate_season AS usage_season,
  f.fatigue_score AS fatigue,
  f.shot_zone_mismatch_score AS mismatch,
  f.pace_score AS pace,
  f.usage_spike_score AS usage_spike,
  f.opponent_strength_score AS opponent,
  f.total_composite_adjustment AS total
FROM nba_precompute.player_composite_factors AS f
LEFT JOIN (SELECT * FROM nba_precompute.player_daily_cache WHERE cache_date BETWEEN @first_date AND @last_date) AS c
  ON c.cache_date = f.game_date AND c.player_lookup = f.player_lookup
WHERE f.game_date BETWEEN @first_date AND @last_date
ORDER BY f.game_date DESC, c.points_avg_last_10 DESC, player
LIMIT 10
