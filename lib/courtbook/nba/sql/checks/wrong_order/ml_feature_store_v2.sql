-- Rows with a feature that is not what its source table holds now: defaults of a level that ran too early, or old copies.
-- What is no number differs from every number: not greater, since engines disagree on what it is greater than.
SELECT
  COUNTIF(
    NOT ABS(f.features[SAFE_OFFSET(0)] - m.points_avg_last_5) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(2)] - m.points_avg_season) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(3)] - m.points_std_last_10) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(4)] - m.games_in_last_7_days) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(5)] - p.fatigue_score) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(6)] - p.shot_zone_mismatch_score) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(7)] - p.pace_score) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(8)] - p.usage_spike_score) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(13)] - d.defensive_rating_last_15) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(14)] - d.opponent_pace) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(15)] - IF(u.home_game, 1, 0)) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(16)] - IF(u.back_to_back, 1, 0)) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(18)] - z.paint_rate_last_10 / 100) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(19)] - z.mid_range_rate_last_10 / 100) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(20)] - z.three_pt_rate_last_10 / 100) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(22)] - m.team_pace_last_10) <= 0.01
    OR NOT ABS(f.features[SAFE_OFFSET(23)] - m.team_off_rating_last_10) <= 0.01
  ) AS numerator,
  COUNT(*) AS denominator
FROM nba_predictions.ml_feature_store_v2 AS f
LEFT JOIN (SELECT * FROM nba_precompute.player_daily_cache WHERE cache_date BETWEEN @first_date AND @last_date) AS m
  ON m.cache_date = f.game_date AND m.player_lookup = f.player_lookup
LEFT JOIN (SELECT * FROM nba_precompute.player_composite_factors WHERE game_date BETWEEN @first_date AND @last_date) AS p
  ON p.game_date = f.game_date AND p.player_lookup = f.player_lookup
LEFT JOIN (SELECT * FROM nba_precompute.player_shot_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS z
  ON z.analysis_date = f.game_date AND z.player_lookup = f.player_lookup
LEFT JOIN (SELECT * FROM nba_precompute.team_defense_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS d
  ON d.analysis_date = f.game_date AND d.team_abbr = f.opponent_team_abbr
LEFT JOIN (SELECT * FROM nba_analytics.upcoming_player_game_context WHERE game_date BETWEEN @first_date AND @last_date) AS u
  ON u.game_date = f.game_date AND u.player_lookup = f.player_lookup
WHERE f.game_date BETWEEN @first_date AND @last_date
