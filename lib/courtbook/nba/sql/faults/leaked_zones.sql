-- Let the shares of shots include the date's own game, from a date on, in the zone table and in all copies of it.
UPDATE nba_precompute.player_shot_zone_analysis AS c
SET
  paint_rate_last_10 = 100 * s.paint / s.attempts,
  mid_range_rate_last_10 = 100 * s.mid_range / s.attempts,
  three_pt_rate_last_10 = 100 * (s.attempts - s.paint - s.mid_range) / s.attempts
FROM (
  WITH
  {% include 'shared/games.sql' %}

  SELECT
    p.game_date,
    p.player_lookup,
    SUM(p.paint_attempts) OVER last_10 AS paint,
    SUM(p.mid_range_attempts) OVER last_10 AS mid_range,
    SUM(p.paint_attempts + p.mid_range_attempts + p.three_pt_attempts) OVER last_10 AS attempts
  FROM nba_analytics.player_game_summary AS p
  JOIN counted_games AS g ON g.game_id = p.game_id
  WHERE p.game_date BETWEEN @history_from AND @last_date
    AND p.paint_attempts IS NOT NULL
    AND p.mid_range_attempts IS NOT NULL
  WINDOW last_10 AS (
    PARTITION BY p.player_lookup, p.season_year ORDER BY p.game_date ROWS BETWEEN 9 PRECEDING AND CURRENT ROW
  )
) AS s
WHERE s.game_date = c.analysis_date
  AND s.player_lookup = c.player_lookup
  AND s.attempts > 0
  AND c.paint_rate_last_10 IS NOT NULL
  AND c.analysis_date >= @day
;
UPDATE nba_precompute.player_daily_cache AS m
SET
  paint_rate_last_10 = z.paint_rate_last_10,
  three_pt_rate_last_10 = z.three_pt_rate_last_10
FROM nba_precompute.player_shot_zone_analysis AS z
WHERE z.analysis_date = m.cache_date
  AND z.player_lookup = m.player_lookup
  AND m.cache_date >= @day
;
{% set copies = {18: 'paint', 19: 'mid_range', 20: 'three_pt'} -%}
UPDATE nba_predictions.ml_feature_store_v2 AS f
SET features = [
  {% for position in range(25) -%}
  {% if position in copies %}z.{{ copies[position] }}_rate_last_10 / 100{% else %}f.features[SAFE_OFFSET({{ position }})]{% endif %}
  {{- '' if loop.last else ',' }}
  {% endfor %}
]
FROM nba_precompute.player_shot_zone_analysis AS z
WHERE z.analysis_date = f.game_date
  AND z.player_lookup = f.player_lookup
  AND z.paint_rate_last_10 IS NOT NULL
  AND f.game_date >= @day
