-- Rows whose names are the 25 of the feature version, in order.
SELECT
  COUNTIF(ARRAY_TO_STRING(feature_names, ',') = @names) AS numerator,
  COUNT(*) AS denominator
FROM nba_predictions.ml_feature_store_v2
WHERE game_date BETWEEN @first_date AND @last_date
