-- Rows whose mismatch score is missing or zero although both zone tables hold its inputs: a level that ran too early.
-- The operator's table keeps one decimal, so that a small score is zero: a product of 6 makes 0.06 at least.
SELECT
  COUNTIF(score IS NULL AND product != 0 OR score = 0 AND NOT ABS(product) < 6) AS numerator,
  COUNT(*) AS denominator
FROM (
  SELECT
    c.shot_zone_mismatch_score AS score,
    CASE z.primary_scoring_zone
      WHEN 'mid_range' THEN d.mid_range_defense_vs_league_avg * z.mid_range_rate_last_10
      WHEN 'perimeter' THEN d.three_pt_defense_vs_league_avg * z.three_pt_rate_last_10
      ELSE d.paint_defense_vs_league_avg * z.paint_rate_last_10
    END AS product
  FROM nba_precompute.player_composite_factors AS c
  LEFT JOIN (SELECT * FROM nba_analytics.upcoming_player_game_context WHERE game_date BETWEEN @first_date AND @last_date) AS u
    ON u.game_date = c.game_date AND u.player_lookup = c.player_lookup
  LEFT JOIN (SELECT * FROM nba_precompute.player_shot_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS z
    ON z.analysis_date = c.game_date AND z.player_lookup = c.player_lookup
  LEFT JOIN (SELECT * FROM nba_precompute.team_defense_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS d
    ON d.analysis_date = c.game_date AND d.team_abbr = u.opponent_team_abbr
  WHERE c.game_date BETWEEN @first_date AND @last_date
) AS factors
