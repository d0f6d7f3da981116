-- Features that have one value only in all rows: they carry no information, or something upstream broke.
SELECT
  COUNTIF(smallest = largest) AS numerator,
  COUNT(*) AS denominator,
  STRING_AGG(IF(smallest = largest, feature, NULL), ', ') AS detail
FROM (
  SELECT
    position,
    MIN(feature_names[SAFE_OFFSET(CAST(position AS INT64))]) AS feature,
    MIN(features[SAFE_OFFSET(CAST(position AS INT64))]) AS smallest,
    MAX(features[SAFE_OFFSET(CAST(position AS INT64))]) AS largest
  FROM nba_predictions.ml_feature_store_v2
  CROSS JOIN UNNEST(GENERATE_ARRAY(0, 24)) AS position
  WHERE game_date BETWEEN @first_date AND @last_date
  GROUP BY position
) AS spread
