-- Rows whose ten-game mean of points is nearer to the one that includes the date's own game than to the one before it, on
-- dates where that holds for three quarters of the rows: a job leaks a whole date; a changed input moves a few rows.
WITH
{% include 'shared/games.sql' %},

player_games AS (
  SELECT
    p.game_date,
    p.season_year,
    p.player_lookup,
    MAX(p.points) AS points
  FROM nba_analytics.player_game_summary AS p
  JOIN counted_games AS g ON g.game_id = p.game_id
  WHERE p.game_date BETWEEN @history_from AND @last_date
  GROUP BY p.game_date, p.season_year, p.player_lookup
),

means AS (
  SELECT
    game_date,
    player_lookup,
    AVG(points) OVER (
      PARTITION BY player_lookup, season_year ORDER BY game_date ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING
    ) AS before,
    AVG(points) OVER (
      PARTITION BY player_lookup, season_year ORDER BY game_date ROWS BETWEEN 9 PRECEDING AND CURRENT ROW
    ) AS through
  FROM player_games
),

dates AS (
  SELECT
    COUNT(*) AS row_count,
    COUNTIF(ABS(c.points_avg_last_10 - m.through) < ABS(c.points_avg_last_10 - m.before)) AS nearer,
    COUNTIF(m.through != m.before) AS judged
  FROM nba_precompute.player_daily_cache AS c
  LEFT JOIN means AS m ON m.game_date = c.cache_date AND m.player_lookup = c.player_lookup
  WHERE c.cache_date BETWEEN @first_date AND @last_date
  GROUP BY c.cache_date
)

{% include 'shared/leaked_rows.sql' %}
