-- Each feature: range, mean, and the share of rows in which a default stands in for a value, where rows tell it.
WITH
kept AS (
  SELECT
    features,
    feature_names,
    default_features
  FROM nba_predictions.ml_feature_store_v2
  WHERE game_date BETWEEN @first_date AND @last_date
),

-- Positions are generated rather than counted by WITH OFFSET, which the embedded warehouse would count from 1.
positioned AS (
  SELECT
    position,
    feature_names[SAFE_OFFSET(CAST(position AS INT64))] AS feature,
    features[SAFE_OFFSET(CAST(position AS INT64))] AS value
  FROM kept
  CROSS JOIN UNNEST(GENERATE_ARRAY(0, 24)) AS position
),

spread AS (
  SELECT
    position,
    feature,
    -- Engines disagree on whether what is no number is the smallest one.
    MIN(IF(IS_NAN(value), NULL, value)) AS minimum,
    AVG(value) AS mean,
    MAX(value) AS maximum,
    COUNT(*) AS row_count
  FROM positioned
  GROUP BY position, feature
),

defaults AS (
  SELECT
    feature,
    COUNT(*) AS row_count
  FROM kept
  CROSS JOIN UNNEST(default_features) AS feature
  GROUP BY feature
)

-- All 25 places, whatever the table holds.
SELECT
  place AS position,
  COALESCE(s.feature, CAST(place AS STRING)) AS feature,
  s.minimum,
  s.mean,
  s.maximum,
  IF((SELECT COUNT(default_features) FROM kept) > 0, 100 * COALESCE(d.row_count, 0) / s.row_count, NULL) AS default_percent
FROM UNNEST(GENERATE_ARRAY(0, 24)) AS place
LEFT JOIN spread AS s ON s.position = place
LEFT JOIN defaults AS d ON d.feature = s.feature
ORDER BY place
