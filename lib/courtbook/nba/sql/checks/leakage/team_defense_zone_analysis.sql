-- Rows of playing teams whose mean of points allowed is nearer to the one that includes the date's own game, on dates where
-- that holds for three quarters of the rows: a job leaks a whole date. Only teams whose last 15 games all have their row.
WITH
{% include 'shared/games.sql' %},

means AS (
  SELECT
    t.game_date,
    t.team_abbr,
    AVG(d.points_allowed) OVER before_game AS before,
    AVG(d.points_allowed) OVER through_game AS through,
    COUNTIF(d.points_allowed IS NULL) OVER all_games AS unknown
  FROM team_games AS t
  LEFT JOIN (
    SELECT
      game_id,
      defending_team_abbr AS team_abbr,
      MAX(points_allowed) AS points_allowed
    FROM nba_analytics.team_defense_game_summary
    WHERE game_date BETWEEN @history_from AND @last_date
    GROUP BY game_id, defending_team_abbr
  ) AS d ON d.game_id = t.game_id AND d.team_abbr = t.team_abbr
  WINDOW
    before_game AS (PARTITION BY t.team_abbr, t.season_year ORDER BY t.game_date ROWS BETWEEN 15 PRECEDING AND 1 PRECEDING),
    through_game AS (PARTITION BY t.team_abbr, t.season_year ORDER BY t.game_date ROWS BETWEEN 14 PRECEDING AND CURRENT ROW),
    all_games AS (PARTITION BY t.team_abbr, t.season_year ORDER BY t.game_date ROWS BETWEEN 15 PRECEDING AND CURRENT ROW)
),

dates AS (
  SELECT
    COUNT(*) AS row_count,
    COUNTIF(ABS(c.opponent_points_per_game - m.through) < ABS(c.opponent_points_per_game - m.before)) AS nearer,
    COUNTIF(m.through != m.before) AS judged
  FROM nba_precompute.team_defense_zone_analysis AS c
  LEFT JOIN means AS m ON m.game_date = c.analysis_date AND m.team_abbr = c.team_abbr AND m.unknown = 0
  WHERE c.analysis_date BETWEEN @first_date AND @last_date
  GROUP BY c.analysis_date
)

{% include 'shared/leaked_rows.sql' %}
