-- Feature values that are numbers, of all that are there; a row without an array counts as one that is none.
SELECT
  COUNTIF(value IS NOT NULL AND NOT IS_NAN(value) AND NOT IS_INF(value)) AS numerator,
  COUNT(*) AS denominator
FROM (
  SELECT features
  FROM nba_predictions.ml_feature_store_v2
  WHERE game_date BETWEEN @first_date AND @last_date
) AS kept
LEFT JOIN UNNEST(features) AS value
