-- Feature rows of the right shape: 25 values, 25 names, the declared count.
SELECT
  COUNTIF(ARRAY_LENGTH(features) = 25 AND ARRAY_LENGTH(feature_names) = 25 AND feature_count = 25) AS numerator,
  COUNT(*) AS denominator
FROM nba_predictions.ml_feature_store_v2
WHERE game_date BETWEEN @first_date AND @last_date
