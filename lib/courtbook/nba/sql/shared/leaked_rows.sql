-- Rows of the dates on which three quarters of what can be judged is nearer to the leaked value.
SELECT
  SUM(IF(judged > 0 AND nearer >= 0.75 * judged, nearer, 0)) AS numerator,
  SUM(row_count) AS denominator
FROM dates
