-- Expected against actual rows of one table, by date. What is expected comes from the raw layer, never from the table itself.
-- newer_inputs names the tables with rows that are newer than the row of the date that looks back at them, as declared.
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
-- What will be written anew counts as newer than everything: 'table/date' each.
rewritten AS (
  {% if rewritten -%}
  SELECT
    SPLIT(item, '/')[SAFE_OFFSET(0)] AS input,
    CAST(SPLIT(item, '/')[SAFE_OFFSET(1)] AS DATE) AS day
  FROM UNNEST(@rewritten) AS item
  {%- else -%}
  SELECT
    '' AS input,
    @first_date AS day
  {%- endif %}
),

-- Dates of games; and dates that will be written anew although the game that was played on them does not count any more.
seasons AS (
  SELECT
    d.day,
    MAX(s.season_year) AS season_year,
    MAX(s.season_start) AS season_start
  FROM (
    SELECT game_date AS day
    FROM counted_games
    UNION DISTINCT
    SELECT day
    FROM rewritten
  ) AS d
  JOIN season_starts AS s ON s.season_start <= d.day
  GROUP BY d.day
),

oldest AS (
  SELECT
    a.day,
    d.season_year,
    d.season_start,
    MIN(a.processed_at) AS processed_at
  FROM actual AS a
  JOIN seasons AS d ON d.day = a.day
  JOIN target_dates AS t ON t.game_date = a.day
  GROUP BY a.day, d.season_year, d.season_start
),

inputs AS (
  {% for edge in inputs if 'processed_at' in edge.table.columns -%}
  SELECT
    '{{ edge.table.name }}' AS input,
    {{ edge.table.date_column }} AS day,
    MAX(processed_at) AS processed_at
  FROM {{ edge.table.full_name }}
  WHERE {{ edge.table.date_column }} BETWEEN @history_from AND @last_date
    AND {{ edge.table.date_column }} IN (SELECT day FROM seasons)
  GROUP BY day
  UNION ALL
  {% endfor -%}
  SELECT
    input,
    day,
    TIMESTAMP_SECONDS(253402300799) AS processed_at
  FROM rewritten
),

{% for edge in inputs -%}
{% for window in edge.window if window.endswith(' games') -%}
{%- set name = edge.table.name -%}
-- Whose row of {{ name }} is newer than what, and up to which date it is among the last {{ window }}.
-- On a date that will be written anew anybody may appear.
games_of_{{ name }} AS (
  SELECT
    g.who,
    g.day,
    s.season_year,
    MAX(g.processed_at) AS processed_at,
    SUM(MAX(g.counted)) OVER (PARTITION BY g.who, s.season_year ORDER BY g.day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS number
  FROM (
    SELECT
      {{ edge.table.entity_column }} AS who,
      {{ edge.table.date_column }} AS day,
      -- What a job has left of a game that does not count is no game.
      IF({{ edge.counting or 'TRUE' }} AND game_id IN (SELECT game_id FROM counted_games), 1, 0) AS counted,
      processed_at
    FROM {{ edge.table.full_name }}
    WHERE {{ edge.table.date_column }} BETWEEN @history_from AND @last_date
    {%- if rewritten %}
    UNION ALL
    SELECT
      everyone.who,
      r.day,
      0 AS counted,
      TIMESTAMP_SECONDS(253402300799) AS processed_at
    FROM rewritten AS r
    CROSS JOIN (
      SELECT DISTINCT {{ edge.table.entity_column }} AS who
      FROM {{ edge.table.full_name }}
      WHERE {{ edge.table.date_column }} BETWEEN @history_from AND @last_date
    ) AS everyone
    WHERE r.input = '{{ name }}'
    {%- endif %}
  ) AS g
  JOIN seasons AS s ON s.day = g.day
  GROUP BY g.who, g.day, s.season_year
),

reach_of_{{ name }} AS (
  SELECT
    g.who,
    g.day,
    g.season_year,
    g.processed_at,
    MIN(later.day) AS until
  FROM games_of_{{ name }} AS g
  LEFT JOIN games_of_{{ name }} AS later
    ON later.who = g.who AND later.season_year = g.season_year AND later.number = g.number + {{ window.split()[0] }}
  WHERE g.processed_at > (SELECT MIN(processed_at) FROM oldest)
  GROUP BY g.who, g.day, g.season_year, g.processed_at
),

readers_of_{{ name }} AS (
  SELECT
    o.day,
    o.season_year,
    r.{{ edge.by }} AS who,
    MIN(COALESCE(r.processed_at, TIMESTAMP_SECONDS(0))) AS processed_at
  FROM {{ table.full_name }} AS r
  JOIN oldest AS o ON o.day = r.{{ table.date_column }}
  WHERE r.{{ table.date_column }} BETWEEN @first_date AND @last_date
  GROUP BY o.day, o.season_year, who
),

{% endfor -%}
{% endfor -%}
newer AS (
  SELECT
    day,
    STRING_AGG(DISTINCT input, ', ' ORDER BY input) AS newer_inputs
  FROM (
    {% for edge in inputs -%}
    {% for window in edge.window -%}
    {% set name = edge.table.name -%}
    {% if window.endswith(' games') -%}
    SELECT
      r.day,
      '{{ name }}' AS input
    FROM readers_of_{{ name }} AS r
    JOIN reach_of_{{ name }} AS i
      ON i.who = r.who AND i.season_year = r.season_year AND i.processed_at > r.processed_at
    WHERE i.day < r.day AND (i.until IS NULL OR r.day <= i.until)
    {%- else -%}
    SELECT
      o.day,
      i.input
    FROM oldest AS o
    JOIN inputs AS i ON i.input = '{{ name }}' AND i.processed_at > o.processed_at
    {%- if window == 'same date' %} AND i.day = o.day
    {%- elif window.endswith(' days') %} AND i.day >= DATE_SUB(o.day, INTERVAL {{ window.split()[0] }} DAY) AND i.day < o.day
    {%- else %} AND i.day >= o.season_start AND i.day < o.day
    {%- endif %}
    {%- endif %}
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor -%}
    {{ '' if loop.last else 'UNION ALL' }}
    {% endfor -%}
  )
  GROUP BY day
),
{%- endif %}

compared AS (
  SELECT
    COALESCE(e.day, a.day) AS day,
    e.entity IS NOT NULL AS is_expected,
    COALESCE(e.is_obtainable, FALSE) AS is_obtainable,
    COALESCE(a.copies, 0) AS copies,
    a.processed_at
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
  MIN(c.processed_at) AS oldest_row,
  {{ 'MAX(n.newer_inputs)' if inputs else 'CAST(NULL AS STRING)' }} AS newer_inputs
FROM compared AS c
{% if inputs %}LEFT JOIN newer AS n ON n.day = c.day{% endif %}
GROUP BY c.day
ORDER BY c.day
