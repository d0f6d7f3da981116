-- Take three months out of all five tables of Phase 4, while Phase 3 is complete.
{% for name, column in [
  ('nba_precompute.team_defense_zone_analysis', 'analysis_date'),
  ('nba_precompute.player_shot_zone_analysis', 'analysis_date'),
  ('nba_precompute.player_daily_cache', 'cache_date'),
  ('nba_precompute.player_composite_factors', 'game_date'),
  ('nba_predictions.ml_feature_store_v2', 'game_date'),
] -%}
DELETE FROM {{ name }}
WHERE {{ column }} BETWEEN DATE_SUB(@day, INTERVAL 92 DAY) AND @day
{{ '' if loop.last else ';\n' }}
{%- endfor %}
