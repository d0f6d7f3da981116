-- Adjustments for fatigue, match-up, pace, usage and opponent. A score whose input is missing is NULL, never 0.
{% from 'shared/macros.sql' import clamp -%}
WITH
{% include 'shared/games.sql' %},

season_usage AS (
  SELECT
    p.game_date,
    p.player_lookup,
    AVG(p.usage_rate) OVER (
      PARTITION BY p.player_lookup, p.season_year
      ORDER BY p.game_date
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS usage_rate_season
  FROM nba_analytics.player_game_summary AS p
  JOIN team_games AS t ON t.game_id = p.game_id AND t.team_abbr = p.team_abbr
  WHERE p.game_date BETWEEN @history_from AND @last_date
),

league_defense AS (
  SELECT
    analysis_date,
    AVG(defensive_rating_last_15) AS defensive_rating
  FROM nba_precompute.team_defense_zone_analysis
  WHERE analysis_date BETWEEN @first_date AND @last_date
  GROUP BY analysis_date
),

inputs AS (
  SELECT
    c.*,
    u.usage_rate_season,
    t.team_abbr IS NOT NULL AS has_team_context,
    z.player_lookup IS NOT NULL AS has_shot_zones,
    f.team_abbr IS NOT NULL AS has_opponent_defense,
    CASE z.primary_scoring_zone
      WHEN 'mid_range' THEN f.mid_range_defense_vs_league_avg
      WHEN 'perimeter' THEN f.three_pt_defense_vs_league_avg
      ELSE f.paint_defense_vs_league_avg
    END AS opponent_vs_league,
    CASE z.primary_scoring_zone
      WHEN 'mid_range' THEN z.mid_range_rate_last_10
      WHEN 'perimeter' THEN z.three_pt_rate_last_10
      ELSE z.paint_rate_last_10
    END AS zone_rate,
    l.defensive_rating - f.defensive_rating_last_15 AS defense_gap
  FROM nba_analytics.upcoming_player_game_context AS c
  JOIN target_dates AS d ON d.game_date = c.game_date
  LEFT JOIN season_usage AS u ON u.game_date = c.game_date AND u.player_lookup = c.player_lookup
  LEFT JOIN (SELECT * FROM nba_analytics.upcoming_team_game_context WHERE game_date BETWEEN @first_date AND @last_date) AS t
    ON t.game_date = c.game_date AND t.team_abbr = c.team_abbr
  LEFT JOIN (SELECT * FROM nba_precompute.player_shot_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS z
    ON z.analysis_date = c.game_date AND z.player_lookup = c.player_lookup
  LEFT JOIN (SELECT * FROM nba_precompute.team_defense_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS f
    ON f.analysis_date = c.game_date AND f.team_abbr = c.opponent_team_abbr
  LEFT JOIN league_defense AS l ON l.analysis_date = c.game_date
  WHERE c.game_date BETWEEN @first_date AND @last_date
),

raw_scores AS (
  SELECT
    inputs.*,
    100
      + CASE WHEN back_to_back THEN -15 WHEN days_rest >= 3 THEN 5 ELSE 0 END
      + IF(games_in_last_7_days >= 4, -10, 0)
      + IF(ROUND(minutes_in_last_7_days, 6) > 240, -10, 0)
      + IF(ROUND(avg_minutes_per_game_last_7, 6) > 35, -8, 0)
      + CASE WHEN back_to_backs_last_14_days >= 2 THEN -12 WHEN back_to_backs_last_14_days = 1 THEN -5 ELSE 0 END AS freshness,
    opponent_vs_league * IF(zone_rate >= 50, 1.0, zone_rate / 50) AS mismatch,
    0.3 * (projected_usage_rate - usage_rate_season) AS usage_change
  FROM inputs
),

scores AS (
  SELECT
    raw_scores.*,
    IF(freshness > 100, 100, IF(freshness < 0, 0, freshness)) AS fatigue_score,
    {{ clamp('mismatch * IF(ABS(mismatch) > 5, 1.2, 1.0)', 10.0) }} AS shot_zone_mismatch_score,
    {{ clamp('pace_differential / 2', 3.0) }} AS pace_score,
    {{ clamp('usage_change * CASE WHEN usage_change <= 0 THEN 1.0 WHEN star_teammates_out >= 2 THEN 1.3 WHEN star_teammates_out = 1 THEN 1.15 ELSE 1.0 END', 3.0) }} AS usage_spike_score,
    {{ clamp('defense_gap / 2', 3.0) }} AS opponent_strength_score
  FROM raw_scores
),

totals AS (
  SELECT
    scores.*,
    (fatigue_score - 100) / 20
      + COALESCE(shot_zone_mismatch_score, 0.0)
      + COALESCE(pace_score, 0.0)
      + COALESCE(usage_spike_score, 0.0)
      + COALESCE(opponent_strength_score, 0.0) AS total_composite_adjustment
  FROM scores
)

SELECT
  player_lookup,
  game_date,
  game_id,
  fatigue_score,
  shot_zone_mismatch_score,
  pace_score,
  usage_spike_score,
  opponent_strength_score,
  total_composite_adjustment,
  20.0 * (
    IF(days_rest IS NULL, 0, 1)
    + IF(projected_usage_rate IS NULL, 0, 1)
    + IF(pace_differential IS NULL, 0, 1)
    + IF(has_shot_zones, 1, 0)
    + IF(has_opponent_defense, 1, 0)
  ) AS data_completeness_pct,
  ARRAY_CONCAT(
    IF(days_rest IS NULL, ['days_rest'], CAST([] AS ARRAY<STRING>)),
    IF(projected_usage_rate IS NULL, ['projected_usage_rate'], CAST([] AS ARRAY<STRING>)),
    IF(pace_differential IS NULL, ['pace_differential'], CAST([] AS ARRAY<STRING>)),
    IF(has_shot_zones, CAST([] AS ARRAY<STRING>), ['player_shot_zone_analysis']),
    IF(has_opponent_defense, CAST([] AS ARRAY<STRING>), ['team_defense_zone_analysis']),
    IF(has_team_context, CAST([] AS ARRAY<STRING>), ['upcoming_team_game_context'])
  ) AS missing_data_fields,
  fatigue_score < 50
    OR COALESCE(ABS(shot_zone_mismatch_score) > 8, FALSE)
    OR ABS(total_composite_adjustment) > 12 AS has_warnings,
  @processed_at AS processed_at
FROM totals
