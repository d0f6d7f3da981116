-- What one table holds, by date: its rows and a digest of their content, in whatever order they lie.
-- A sum of the same numbers has other last digits each time: numbers count to the sixth decimal, and zero without a sign.
-- They count as whole millionths, and times as microseconds, since engines write them differently.
-- So do the first 32 numbers of a list, one by one, since a query for every list costs more than all the rest; a longer
-- list counts as it is. Columns are numbered: their names would be hashed with every row.
{%- macro number(value) -%}
COALESCE(CAST(SAFE_CAST(ROUND(1000000 * {{ value }}) AS INT64) AS STRING), LOWER(CAST({{ value }} AS STRING)))
{%- endmacro %}
SELECT
  day,
  COUNT(*) AS row_count,
  TO_HEX(SHA256(STRING_AGG(row_digest, '' ORDER BY row_digest))) AS digest
FROM (
  SELECT
    {{ 'CAST(' + table.date_column + ' AS STRING)' if dated else "'undated'" }} AS day,
    {% if columns -%}
    TO_HEX(SHA256(TO_JSON_STRING(STRUCT(
      {%- for column, kind in columns.items() %}
      {% if kind == 'FLOAT64' -%}
      {{ number(column) }}
      {%- elif kind == 'ARRAY<FLOAT64>' -%}
      STRUCT(
        ARRAY_LENGTH({{ column }}) AS n,
        [
          {%- for place in range(32) %}
          {{ number(column + '[SAFE_OFFSET(%d)]' % place) }}{{ '' if loop.last else ',' }}
          {%- endfor %}
        ] AS numbers,
        IF(ARRAY_LENGTH({{ column }}) > 32, {{ column }}, NULL) AS longer
      )
      {%- elif kind == 'TIMESTAMP' -%}
      UNIX_MICROS({{ column }})
      {%- else -%}
      {{ column }}
      {%- endif %} AS c{{ loop.index }}{{ '' if loop.last else ',' }}
      {%- endfor %}
    )))) AS row_digest
    {%- else -%}
    '' AS row_digest
    {%- endif %}
  FROM {{ table.full_name }}
  {%- if dated %}
  WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
  {%- endif %}
)
GROUP BY day
ORDER BY day
