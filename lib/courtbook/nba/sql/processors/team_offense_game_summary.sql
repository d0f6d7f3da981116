-- One row a team and counted game, from the team box score or, where it is missing, summed from the players.
{% from 'shared/macros.sql' import quality_tier -%}
WITH
{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %},

{% include 'shared/team_box.sql' %},

scored AS (
  SELECT
    b.*,
    IF(b.is_reconstructed, 85.0, 100.0) AS quality_score,
    ARRAY_CONCAT(
      IF(b.is_reconstructed, ['reconstructed'], CAST([] AS ARRAY<STRING>)),
      IF(b.is_oreb_estimated, ['offensive_rebounds_estimated'], CAST([] AS ARRAY<STRING>))
    ) AS quality_issues
  FROM team_box AS b
  JOIN target_dates AS d ON d.game_date = b.game_date
)

SELECT
  game_id,
  game_date,
  season_year,
  team_abbr,
  opponent_team_abbr,
  points AS points_scored,
  fg_makes,
  fg_attempts,
  three_pt_makes,
  three_pt_attempts,
  ft_makes,
  ft_attempts,
  rebounds,
  offensive_rebounds,
  assists,
  turnovers,
  personal_fouls,
  possessions,
  48 * possessions / (team_minutes / 5) AS pace,
  100 * SAFE_DIVIDE(points, possessions) AS offensive_rating,
  SAFE_DIVIDE(points, 2 * (fg_attempts + 0.44 * ft_attempts)) AS ts_pct,
  home_game,
  margin > 0 AS win_flag,
  margin AS margin_of_victory,
  overtime_periods,
  IF(is_reconstructed, 'reconstructed', 'nbac_team_boxscore') AS primary_source_used,
  quality_score,
  {{ quality_tier('quality_score') }} AS quality_tier,
  quality_issues,
  quality_score >= 50 AS is_production_ready,
  @processed_at AS processed_at
FROM scored
