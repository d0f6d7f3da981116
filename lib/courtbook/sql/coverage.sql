-- Expected against actual rows of one table, by date. What is expected comes from the raw layer, never from the table itself.
WITH
{% include 'expected/' + table.expectation.rule + '.sql' %},

actual AS (
  SELECT
    {{ table.date_column }} AS day,
    {{ table.entity_column }} AS entity,
    COUNT(*) AS copies
  FROM {{ table.full_name }}
  WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
  GROUP BY day, entity
),

compared AS (
  SELECT
    COALESCE(e.day, a.day) AS day,
    e.entity IS NOT NULL AS is_expected,
    COALESCE(e.is_obtainable, FALSE) AS is_obtainable,
    COALESCE(a.copies, 0) AS copies
  FROM (SELECT DISTINCT day, entity, is_obtainable FROM expected) AS e
  FULL OUTER JOIN actual AS a ON a.day = e.day AND a.entity = e.entity
)

SELECT
  day,
  COUNTIF(is_expected) AS expected_rows,
  COUNTIF(is_obtainable) AS obtainable_rows,
  SUM(copies) AS actual_rows,
  COUNTIF(is_expected AND copies > 0) AS found_rows,
  COUNTIF(NOT is_expected) AS unexpected_rows,
  SUM(IF(copies > 1, copies - 1, 0)) AS duplicate_rows
FROM compared
GROUP BY day
ORDER BY day
