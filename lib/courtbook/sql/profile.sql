-- Numerators and denominators of the checks of one table, and how often its columns are filled, by month: one scan.
{%- set key -%}
CONCAT({% for column in table.key %}CAST({{ column }} AS STRING){{ '' if loop.last else ", '/', " }}{% endfor %})
{%- endset %}
{%- set filled -%}
{% for column in table.key %}{{ column }} IS NOT NULL{{ '' if loop.last else ' AND ' }}{% endfor %}
{%- endset %}
SELECT
  DATE_TRUNC({{ table.date_column }}, MONTH) AS month,
  COUNT(*) AS row_count,
  COUNT(DISTINCT {{ table.date_column }}) AS date_count
  {%- for check in checks if check.numerator %},
  -- {{ check.id }}
  {{ check.numerator | replace('{{ key }}', key) | replace('{{ filled }}', filled) }} AS numerator_{{ loop.index0 }},
  {{ check.denominator }} AS denominator_{{ loop.index0 }}
  {%- endfor %}
  {%- for column in columns %},
  COUNT({{ column }}) AS filled_{{ column }}
  {%- endfor %}
FROM {{ table.full_name }}
WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
GROUP BY month
ORDER BY month
