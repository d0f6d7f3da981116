-- Rows by month in the raw layer, in Phase 3 and in Phase 4, bootstrap left out, as shares of the raw layer.
WITH
{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %},

raw_rows AS (
  SELECT
    DATE_TRUNC(b.game_date, MONTH) AS month,
    COUNT(*) AS row_count
  FROM box_scores AS b
  JOIN target_dates AS d ON d.game_date = b.game_date
  GROUP BY month
),

phase3_rows AS (
  SELECT
    DATE_TRUNC(p.game_date, MONTH) AS month,
    COUNT(*) AS row_count
  FROM nba_analytics.player_game_summary AS p
  JOIN target_dates AS d ON d.game_date = p.game_date
  WHERE p.game_date BETWEEN @first_date AND @last_date
  GROUP BY month
),

phase4_rows AS (
  SELECT
    DATE_TRUNC(p.game_date, MONTH) AS month,
    COUNT(*) AS row_count
  FROM nba_precompute.player_composite_factors AS p
  JOIN target_dates AS d ON d.game_date = p.game_date
  WHERE p.game_date BETWEEN @first_date AND @last_date
  GROUP BY month
)

SELECT
  r.month,
  COALESCE(a.row_count, 0) / r.row_count AS phase3,
  COALESCE(b.row_count, 0) / r.row_count AS phase4
FROM raw_rows AS r
LEFT JOIN phase3_rows AS a ON a.month = r.month
LEFT JOIN phase4_rows AS b ON b.month = r.month
ORDER BY r.month
