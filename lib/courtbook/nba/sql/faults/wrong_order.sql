-- Leave a date as it is when the last two levels of Phase 4 run before the zone tables: no zones, zeros and defaults.
{% set defaults = {6: 0.0, 13: 112.0, 14: 100.0, 18: 0.3, 19: 0.2, 20: 0.35} -%}
UPDATE nba_precompute.player_daily_cache
SET
  primary_scoring_zone = NULL,
  paint_rate_last_10 = NULL,
  three_pt_rate_last_10 = NULL,
  assisted_rate_last_10 = NULL,
  shot_zone_data_available = FALSE
WHERE cache_date = @day
;
UPDATE nba_precompute.player_composite_factors
SET
  total_composite_adjustment =
    total_composite_adjustment - COALESCE(shot_zone_mismatch_score, 0.0) - COALESCE(opponent_strength_score, 0.0),
  shot_zone_mismatch_score = 0.0,
  opponent_strength_score = 0.0
WHERE game_date = @day
;
UPDATE nba_predictions.ml_feature_store_v2
SET
  features = [
    {% for position in range(25) -%}
    {{ defaults.get(position, 'features[SAFE_OFFSET(' ~ position ~ ')]') }}{{ '' if loop.last else ',' }}
    {% endfor %}
  ],
  default_features = [
    'shot_zone_mismatch_score', 'opponent_def_rating', 'opponent_pace', 'pct_paint', 'pct_mid_range', 'pct_three'
  ]
WHERE game_date = @day
