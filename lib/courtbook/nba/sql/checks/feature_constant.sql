-- Features that have one value only in all rows: they carry no information, or something upstream broke.
-- The playoff flag (position 17) is left out where the range holds games of one kind only: there it has to be constant.
WITH
{% include 'shared/games.sql' %},

kinds AS (
  SELECT COUNT(DISTINCT g.is_playoffs) AS kinds_of_games
  FROM counted_games AS g
  JOIN target_dates AS d ON d.game_date = g.game_date
),

spread AS (
  SELECT
    position,
    MIN(feature) AS feature,
    -- Engines disagree on whether what is no number is the smallest one.
    MIN(IF(IS_NAN(value), NULL, value)) AS smallest,
    MAX(value) AS largest
  FROM (
    SELECT
      position,
      feature_names[SAFE_OFFSET(CAST(position AS INT64))] AS feature,
      features[SAFE_OFFSET(CAST(position AS INT64))] AS value
    FROM nba_predictions.ml_feature_store_v2
    CROSS JOIN UNNEST(GENERATE_ARRAY(0, 24)) AS position
    WHERE game_date BETWEEN @first_date AND @last_date
  ) AS placed
  GROUP BY position
)

SELECT
  COUNTIF(s.smallest = s.largest) AS numerator,
  COUNT(*) AS denominator,
  STRING_AGG(IF(s.smallest = s.largest, s.feature, NULL), ', ') AS detail
FROM spread AS s
CROSS JOIN kinds AS k
WHERE s.position != 17 OR k.kinds_of_games > 1
