-- Rows marked with an issue that makes them unusable.
SELECT
  COUNT(DISTINCT IF(issue IN ('all_sources_failed', 'missing_required', 'placeholder_created'), row_key, NULL)) AS numerator,
  COUNT(DISTINCT row_key) AS denominator
FROM (
  SELECT
    CONCAT({% for column in table.key %}CAST({{ column }} AS STRING){{ '' if loop.last else ", '/', " }}{% endfor %}) AS row_key,
    quality_issues
  FROM {{ table.full_name }}
  WHERE game_date BETWEEN @first_date AND @last_date
) AS marked
LEFT JOIN UNNEST(quality_issues) AS issue
