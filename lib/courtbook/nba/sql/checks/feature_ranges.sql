-- Values outside the range that the definition of their feature allows. Values that are no numbers have a check of their own.
SELECT
  COUNTIF(
    value < CASE
      WHEN position IN (9, 11, 12) THEN -2
      WHEN position = 6 THEN -10
      WHEN position IN (7, 8) THEN -3
      ELSE 0
    END
    OR value > CASE
      WHEN position IN (0, 1, 2) THEN 60
      WHEN position = 3 THEN 40
      WHEN position = 4 THEN 7
      WHEN position = 5 THEN 100
      WHEN position = 6 THEN 10
      WHEN position IN (7, 8, 10) THEN 3
      WHEN position IN (9, 11, 12) THEN 2
      WHEN position IN (13, 23) THEN 180
      WHEN position IN (14, 22) THEN 140
      WHEN position = 21 THEN 0.5
      ELSE 1
    END
  ) AS numerator,
  COUNT(value) AS denominator
FROM (
  SELECT
    position,
    features[SAFE_OFFSET(CAST(position AS INT64))] AS value
  FROM nba_predictions.ml_feature_store_v2
  CROSS JOIN UNNEST(GENERATE_ARRAY(0, 24)) AS position
  WHERE game_date BETWEEN @first_date AND @last_date
) AS placed
WHERE NOT IS_NAN(value) AND NOT IS_INF(value)
