-- Feature values that are numbers, of all that there ought to be.
SELECT
  COUNTIF(value IS NOT NULL AND NOT IS_NAN(value) AND NOT IS_INF(value)) AS numerator,
  25 * COUNT(DISTINCT row_key) AS denominator
FROM (
  SELECT
    CONCAT(CAST(game_date AS STRING), '/', player_lookup) AS row_key,
    features
  FROM nba_predictions.ml_feature_store_v2
  WHERE game_date BETWEEN @first_date AND @last_date
) AS kept
LEFT JOIN UNNEST(features) AS value
