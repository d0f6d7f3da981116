-- What was known about a team before tip-off: rest, schedule density, lines, injuries, streaks of the season.
{% from 'shared/macros.sql' import quality_tier -%}
WITH
{% include 'shared/games.sql' %},

{% include 'shared/game_lines.sql' %},

{% include 'shared/injuries.sql' %},

numbered AS (
  SELECT
    team_games.*,
    ROW_NUMBER() OVER (PARTITION BY team_abbr, season_year ORDER BY game_date) AS game_number
  FROM team_games
),

history AS (
  SELECT
    game_id,
    game_date,
    season_year,
    team_abbr,
    opponent_team_abbr,
    home_game,
    game_number,
    DATE_DIFF(game_date, LAG(game_date) OVER earlier, DAY) AS days_since_last_game,
    COUNT(*) OVER (PARTITION BY team_abbr ORDER BY UNIX_DATE(game_date) RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING) AS games_in_last_7_days,
    COUNT(*) OVER (PARTITION BY team_abbr ORDER BY UNIX_DATE(game_date) RANGE BETWEEN 14 PRECEDING AND 1 PRECEDING) AS games_in_last_14_days,
    LAG(margin) OVER earlier AS last_game_margin,
    COUNTIF(margin > 0) OVER before_game AS wins,
    MAX(IF(margin > 0, game_number, 0)) OVER before_game AS last_win,
    MAX(IF(margin < 0, game_number, 0)) OVER before_game AS last_loss
  FROM numbered
  WINDOW
    earlier AS (PARTITION BY team_abbr, season_year ORDER BY game_date),
    before_game AS (
      PARTITION BY team_abbr, season_year
      ORDER BY game_date
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),

absences AS (
  SELECT
    game_date,
    team_abbr,
    COUNTIF(injury_status = 'out') AS out_players,
    COUNTIF(injury_status IN ('questionable', 'doubtful')) AS doubtful_players
  FROM injuries
  GROUP BY game_date, team_abbr
),

scored AS (
  SELECT
    h.*,
    l.game_spread,
    l.game_total,
    IF(r.game_date IS NULL, NULL, COALESCE(a.out_players, 0)) AS out_players,
    IF(r.game_date IS NULL, NULL, COALESCE(a.doubtful_players, 0)) AS doubtful_players,
    IF(l.game_spread IS NULL OR l.game_total IS NULL, 90.0, 100.0) AS quality_score,
    IF(l.game_spread IS NULL OR l.game_total IS NULL, ['missing_lines'], CAST([] AS ARRAY<STRING>)) AS quality_issues
  FROM history AS h
  JOIN target_dates AS d ON d.game_date = h.game_date
  LEFT JOIN game_lines AS l ON l.game_id = h.game_id AND l.team_abbr = h.team_abbr
  LEFT JOIN reported_dates AS r ON r.game_date = h.game_date
  LEFT JOIN absences AS a ON a.game_date = h.game_date AND a.team_abbr = h.team_abbr
)

SELECT
  game_id,
  game_date,
  season_year,
  team_abbr,
  opponent_team_abbr,
  home_game,
  days_since_last_game,
  days_since_last_game - 1 AS team_days_rest,
  COALESCE(days_since_last_game = 1, FALSE) AS team_back_to_back,
  games_in_last_7_days,
  games_in_last_14_days,
  game_number AS game_number_in_season,
  game_spread,
  game_total,
  out_players AS starters_out_count,
  doubtful_players AS questionable_players_count,
  game_number - 1 - COALESCE(last_loss, 0) AS team_win_streak_entering,
  game_number - 1 - COALESCE(last_win, 0) AS team_loss_streak_entering,
  last_game_margin,
  CASE WHEN last_game_margin > 0 THEN 'W' WHEN last_game_margin < 0 THEN 'L' END AS last_game_result,
  SAFE_DIVIDE(wins, game_number - 1) AS team_win_pct_entering,
  quality_score,
  {{ quality_tier('quality_score') }} AS quality_tier,
  quality_issues,
  quality_score >= 50 AS is_production_ready,
  @processed_at AS processed_at
FROM scored
