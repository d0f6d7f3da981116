-- One row an active player and counted game. The team row of the same game must be there first: usage needs it.
{% from 'shared/macros.sql' import quality_tier -%}
WITH
{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %},

{% include 'shared/prop_lines.sql' %},

zone_games AS (
  SELECT DISTINCT t.game_id
  FROM nba_raw.player_shot_zones AS z
  JOIN team_games AS t ON t.game_date = z.game_date AND t.team_abbr = z.team_abbr
  WHERE z.game_date BETWEEN @first_date AND @last_date
),

joined AS (
  SELECT
    b.*,
    IF(b.seconds >= 3, DIV(b.seconds + 3, 6) / 10, NULL) AS minutes_played,
    -- Below three seconds minutes_played is NULL, and so is usage: it would run into the thousands.
    100 * SAFE_DIVIDE(
      (b.fg_attempts + 0.44 * b.ft_attempts + b.turnovers) * (240 + 25 * o.overtime_periods) / 5,
      IF(b.seconds >= 3, b.seconds, NULL) / 60 * (o.fg_attempts + 0.44 * o.ft_attempts + o.turnovers)
    ) AS usage_rate,
    g.game_id IS NOT NULL AS has_zones,
    IF(z.player_lookup IS NULL AND g.game_id IS NOT NULL, 0, z.paint_makes) AS paint_makes,
    IF(z.player_lookup IS NULL AND g.game_id IS NOT NULL, 0, z.paint_attempts) AS paint_attempts,
    IF(z.player_lookup IS NULL AND g.game_id IS NOT NULL, 0, z.mid_range_makes) AS mid_range_makes,
    IF(z.player_lookup IS NULL AND g.game_id IS NOT NULL, 0, z.mid_range_attempts) AS mid_range_attempts,
    IF(z.player_lookup IS NULL AND g.game_id IS NOT NULL, 0, z.assisted_fg_makes) AS assisted_fg_makes,
    l.closing_line AS points_line
  FROM box_scores AS b
  JOIN target_dates AS d ON d.game_date = b.game_date
  LEFT JOIN (SELECT * FROM nba_analytics.team_offense_game_summary WHERE game_date BETWEEN @first_date AND @last_date) AS o
    ON o.game_date = b.game_date AND o.game_id = b.game_id AND o.team_abbr = b.team_abbr
  LEFT JOIN zone_games AS g ON g.game_id = b.game_id
  LEFT JOIN (SELECT * FROM nba_raw.player_shot_zones WHERE game_date BETWEEN @first_date AND @last_date) AS z
    ON z.game_date = b.game_date AND z.player_lookup = b.player_lookup
  LEFT JOIN prop_lines AS l ON l.game_date = b.game_date AND l.player_lookup = b.player_lookup
),

scored AS (
  SELECT
    joined.*,
    IF(primary_source_used = 'nbac_gamebook', 100.0, 85.0) - IF(has_zones, 0.0, 15.0) AS quality_score,
    ARRAY_CONCAT(
      IF(primary_source_used = 'nbac_gamebook', CAST([] AS ARRAY<STRING>), ['backup_source_used']),
      IF(has_zones, CAST([] AS ARRAY<STRING>), ['shot_zones_unavailable']),
      IF(usage_rate > 60, ['usage_rate_above_60'], CAST([] AS ARRAY<STRING>))
    ) AS quality_issues
  FROM joined
)

SELECT
  game_id,
  game_date,
  season_year,
  player_lookup,
  player_full_name,
  team_abbr,
  opponent_team_abbr,
  points,
  minutes_played,
  fg_makes,
  fg_attempts,
  three_pt_makes,
  three_pt_attempts,
  ft_makes,
  ft_attempts,
  offensive_rebounds,
  defensive_rebounds,
  assists,
  steals,
  blocks,
  turnovers,
  personal_fouls,
  plus_minus,
  usage_rate,
  SAFE_DIVIDE(points, 2 * (fg_attempts + 0.44 * ft_attempts)) AS ts_pct,
  SAFE_DIVIDE(fg_makes + 0.5 * three_pt_makes, fg_attempts) AS efg_pct,
  paint_makes,
  paint_attempts,
  mid_range_makes,
  mid_range_attempts,
  assisted_fg_makes,
  points_line,
  CASE
    WHEN points > points_line THEN 'OVER'
    WHEN points < points_line THEN 'UNDER'
    WHEN points = points_line THEN 'PUSH'
  END AS over_under_result,
  points - points_line AS margin,
  home_game,
  scored.margin > 0 AS win_flag,
  CAST(NULL AS BOOL) AS starter_flag,
  primary_source_used,
  quality_score,
  {{ quality_tier('quality_score') }} AS quality_tier,
  quality_issues,
  quality_score >= 50 AS is_production_ready,
  @processed_at AS processed_at
FROM scored
