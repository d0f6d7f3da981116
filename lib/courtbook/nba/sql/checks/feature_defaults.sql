-- Feature values that a default filled.
SELECT
  SUM(ARRAY_LENGTH(default_features)) AS numerator,
  SUM(feature_count) AS denominator
FROM nba_predictions.ml_feature_store_v2
WHERE game_date BETWEEN @first_date AND @last_date
