-- One row a team and counted game: what the opponent was allowed, and the defenders' own steals, blocks and rebounds.
{% from 'shared/macros.sql' import quality_tier, strict_sum -%}
WITH
{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %},

{% include 'shared/team_box.sql' %},

team_zones AS (
  SELECT
    t.game_id,
    t.team_abbr,
    {{ strict_sum('z.paint_makes') }} AS paint_makes,
    {{ strict_sum('z.paint_attempts') }} AS paint_attempts,
    {{ strict_sum('z.mid_range_makes') }} AS mid_range_makes,
    {{ strict_sum('z.mid_range_attempts') }} AS mid_range_attempts
  FROM nba_raw.player_shot_zones AS z
  JOIN team_games AS t ON t.game_date = z.game_date AND t.team_abbr = z.team_abbr
  WHERE z.game_date BETWEEN @first_date AND @last_date
  GROUP BY t.game_id, t.team_abbr
),

scored AS (
  SELECT
    own.game_id,
    own.game_date,
    own.season_year,
    own.team_abbr AS defending_team_abbr,
    own.opponent_team_abbr,
    other.points AS points_allowed,
    other.fg_makes,
    other.fg_attempts,
    other.three_pt_makes,
    other.three_pt_attempts,
    other.ft_makes,
    other.ft_attempts,
    other.rebounds,
    other.assists,
    other.turnovers,
    z.paint_makes,
    z.paint_attempts,
    z.mid_range_makes,
    z.mid_range_attempts,
    own.steals,
    own.blocks,
    own.defensive_rebounds,
    other.possessions,
    other.team_minutes,
    own.home_game,
    own.margin,
    other.is_reconstructed OR own.is_reconstructed AS is_reconstructed,
    IF(other.is_reconstructed OR own.is_reconstructed, 85.0, 100.0) - IF(z.game_id IS NULL, 15.0, 0.0) AS quality_score,
    ARRAY_CONCAT(
      IF(other.is_reconstructed OR own.is_reconstructed, ['reconstructed'], CAST([] AS ARRAY<STRING>)),
      IF(other.is_oreb_estimated, ['offensive_rebounds_estimated'], CAST([] AS ARRAY<STRING>)),
      IF(z.game_id IS NULL, ['shot_zones_unavailable'], CAST([] AS ARRAY<STRING>))
    ) AS quality_issues
  FROM team_box AS own
  JOIN target_dates AS d ON d.game_date = own.game_date
  JOIN team_box AS other ON other.game_id = own.game_id AND other.team_abbr = own.opponent_team_abbr
  LEFT JOIN team_zones AS z ON z.game_id = other.game_id AND z.team_abbr = other.team_abbr
)

SELECT
  game_id,
  game_date,
  season_year,
  defending_team_abbr,
  opponent_team_abbr,
  points_allowed,
  fg_makes AS opp_fg_makes,
  fg_attempts AS opp_fg_attempts,
  three_pt_makes AS opp_three_pt_makes,
  three_pt_attempts AS opp_three_pt_attempts,
  ft_makes AS opp_ft_makes,
  ft_attempts AS opp_ft_attempts,
  rebounds AS opp_rebounds,
  assists AS opp_assists,
  turnovers AS turnovers_forced,
  paint_makes AS opp_paint_makes,
  paint_attempts AS opp_paint_attempts,
  mid_range_makes AS opp_mid_range_makes,
  mid_range_attempts AS opp_mid_range_attempts,
  steals,
  blocks,
  defensive_rebounds,
  100 * SAFE_DIVIDE(points_allowed, possessions) AS defensive_rating,
  48 * possessions / (team_minutes / 5) AS opponent_pace,
  SAFE_DIVIDE(points_allowed, 2 * (fg_attempts + 0.44 * ft_attempts)) AS opponent_ts_pct,
  home_game,
  margin > 0 AS win_flag,
  quality_score,
  {{ quality_tier('quality_score') }} AS quality_tier,
  quality_issues,
  quality_score >= 50 AS is_production_ready,
  @processed_at AS processed_at
FROM scored
