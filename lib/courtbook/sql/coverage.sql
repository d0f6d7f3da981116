-- Expected against actual rows of one table, by date. What is expected comes from the raw layer, never from the table itself.
-- newer_inputs names the tables with rows that are newer than the oldest row of the date, within the declared look-back.
WITH
{% include 'expected/' + table.expectation.rule + '.sql' %},

actual AS (
  SELECT
    {{ table.date_column }} AS day,
    {{ table.entity_column }} AS entity,
    COUNT(*) AS copies,
    -- A row that does not say when it was made may be older than anything.
    MIN(COALESCE(processed_at, TIMESTAMP_SECONDS(0))) AS processed_at
  FROM {{ table.full_name }}
  WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
  GROUP BY day, entity
),

{% if inputs -%}
oldest AS (
  SELECT
    a.day,
    s.season_start,
    MIN(a.processed_at) AS processed_at
  FROM actual AS a
  JOIN target_dates AS d ON d.game_date = a.day
  JOIN season_starts AS s ON s.season_year = d.season_year
  GROUP BY a.day, s.season_start
),

inputs AS (
  {% for edge in inputs -%}
  SELECT
    '{{ edge.table.name }}' AS input,
    {{ edge.table.date_column }} AS day,
    MAX(processed_at) AS processed_at
  FROM {{ edge.table.full_name }}
  WHERE {{ edge.table.date_column }} BETWEEN @history_from AND @last_date
    AND {{ edge.table.date_column }} IN (SELECT game_date FROM counted_games)
  GROUP BY day
  {{ '' if loop.last else 'UNION ALL' }}
  {% endfor -%}
),

newer AS (
  SELECT
    o.day,
    STRING_AGG(DISTINCT i.input, ', ' ORDER BY i.input) AS newer_inputs
  FROM oldest AS o
  JOIN inputs AS i ON i.processed_at > o.processed_at AND (
    {% for edge in inputs -%}
    {% for window in edge.window -%}
    i.input = '{{ edge.table.name }}' AND
    {%- if window == 'same date' %} i.day = o.day
    {%- elif window.endswith(' days') %} i.day >= DATE_SUB(o.day, INTERVAL {{ window.split()[0] }} DAY) AND i.day < o.day
    {%- else %} i.day >= o.season_start AND i.day < o.day
    {%- endif %}
    {{ '' if loop.last else 'OR ' }}{% endfor %}
    {{ '' if loop.last else 'OR ' }}{% endfor %}
  )
  GROUP BY o.day
),
{%- endif %}

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
  c.day,
  COUNTIF(c.is_expected) AS expected_rows,
  COUNTIF(c.is_obtainable) AS obtainable_rows,
  SUM(c.copies) AS actual_rows,
  COUNTIF(c.is_expected AND c.copies > 0) AS found_rows,
  SUM(IF(c.is_expected, 0, c.copies)) AS unexpected_rows,
  SUM(IF(c.copies > 1, c.copies - 1, 0)) AS duplicate_rows,
  {{ 'MAX(n.newer_inputs)' if inputs else 'CAST(NULL AS STRING)' }} AS newer_inputs
FROM compared AS c
{% if inputs %}LEFT JOIN newer AS n ON n.day = c.day{% endif %}
GROUP BY c.day
ORDER BY c.day
