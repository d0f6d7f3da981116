-- Rows whose share of shots in the paint is nearer to the one of ten games that include the date's own, on dates where that
-- holds for three quarters of the rows: a job leaks a whole date; a changed input moves a few rows. Games with zones only.
WITH
{% include 'shared/games.sql' %},

player_games AS (
  SELECT
    p.game_date,
    p.season_year,
    p.player_lookup,
    MAX(p.paint_attempts) AS paint,
    MAX(p.paint_attempts + p.mid_range_attempts + p.three_pt_attempts) AS attempts
  FROM nba_analytics.player_game_summary AS p
  JOIN counted_games AS g ON g.game_id = p.game_id
  WHERE p.game_date BETWEEN @history_from AND @last_date
    AND p.paint_attempts IS NOT NULL
    AND p.mid_range_attempts IS NOT NULL
  GROUP BY p.game_date, p.season_year, p.player_lookup
),

shares AS (
  SELECT
    game_date,
    player_lookup,
    100 * SAFE_DIVIDE(SUM(paint) OVER before_game, SUM(attempts) OVER before_game) AS before,
    100 * SAFE_DIVIDE(SUM(paint) OVER through_game, SUM(attempts) OVER through_game) AS through
  FROM player_games
  WINDOW
    before_game AS (PARTITION BY player_lookup, season_year ORDER BY game_date ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING),
    through_game AS (PARTITION BY player_lookup, season_year ORDER BY game_date ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)
),

dates AS (
  SELECT
    COUNT(*) AS row_count,
    COUNTIF(ABS(c.paint_rate_last_10 - s.through) < ABS(c.paint_rate_last_10 - s.before)) AS nearer,
    COUNTIF(s.through != s.before) AS judged
  FROM nba_precompute.player_shot_zone_analysis AS c
  LEFT JOIN shares AS s ON s.game_date = c.analysis_date AND s.player_lookup = c.player_lookup
  WHERE c.analysis_date BETWEEN @first_date AND @last_date
  GROUP BY c.analysis_date
)

{% include 'shared/leaked_rows.sql' %}
