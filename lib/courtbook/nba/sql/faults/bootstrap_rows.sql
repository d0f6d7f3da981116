-- Begin Phase 4 on the eighth day of a season, as a job does that takes the bootstrap to be seven days long.
INSERT INTO nba_precompute.player_composite_factors (
  player_lookup,
  game_date,
  game_id,
  fatigue_score,
  pace_score,
  usage_spike_score,
  total_composite_adjustment,
  data_completeness_pct,
  missing_data_fields,
  has_warnings,
  processed_at
)
WITH
{% include 'shared/games.sql' %}

SELECT
  c.player_lookup,
  c.game_date,
  c.game_id,
  100 AS fatigue_score,
  0.0 AS pace_score,
  0.0 AS usage_spike_score,
  0.0 AS total_composite_adjustment,
  60.0 AS data_completeness_pct,
  ['shot_zones', 'opponent_defense'] AS missing_data_fields,
  TRUE AS has_warnings,
  c.processed_at
FROM nba_analytics.upcoming_player_game_context AS c
JOIN season_starts AS s ON s.season_year = c.season_year
WHERE c.game_date BETWEEN @first_date AND @last_date
  AND DATE_DIFF(c.game_date, s.season_start, DAY) >= 7
  AND DATE_DIFF(c.game_date, s.season_start, DAY) < @skip_days
