-- The feature that a default fills most often, as rows with a default and rows; nothing where no row tells its defaults.
WITH
kept AS (
  SELECT default_features
  FROM nba_predictions.ml_feature_store_v2
  WHERE game_date BETWEEN @first_date AND @last_date
),

defaults AS (
  SELECT
    feature,
    COUNT(*) AS row_count
  FROM kept
  CROSS JOIN UNNEST(default_features) AS feature
  GROUP BY feature
)

SELECT
  IF((SELECT COUNT(default_features) FROM kept) > 0, COALESCE((SELECT MAX(row_count) FROM defaults), 0), NULL) AS numerator,
  (SELECT COUNT(*) FROM kept) AS denominator,
  (SELECT feature FROM defaults ORDER BY row_count DESC, feature LIMIT 1) AS detail
