{#- Pieces of expressions that several statements share. -#}
{%- macro quality_tier(score) -%}
CASE
      WHEN {{ score }} >= 95 THEN 'gold'
      WHEN {{ score }} >= 75 THEN 'silver'
      WHEN {{ score }} >= 50 THEN 'bronze'
      WHEN {{ score }} >= 25 THEN 'poor'
      ELSE 'unusable'
    END
{%- endmacro -%}
{#- A sum that is NULL when a part is unknown: SUM alone would count an unknown part as zero. -#}
{%- macro strict_sum(column) -%}
IF(COUNTIF({{ column }} IS NULL) > 0, NULL, SUM({{ column }}))
{%- endmacro -%}
{%- macro clamp(value, limit) -%}
IF({{ value }} > {{ limit }}, {{ limit }}, IF({{ value }} < -{{ limit }}, -{{ limit }}, {{ value }}))
{%- endmacro -%}
{#- Steps of -2 to 2, as the feature store has them for trends. Rounded first: the last bit of a mean depends on the
    order of the sum, and must not decide. -#}
{%- macro steps(value, small, large) -%}
CASE
      WHEN ROUND({{ value }}, 9) >= {{ large }} THEN 2.0
      WHEN ROUND({{ value }}, 9) >= {{ small }} THEN 1.0
      WHEN ROUND({{ value }}, 9) <= -{{ large }} THEN -2.0
      WHEN ROUND({{ value }}, 9) <= -{{ small }} THEN -1.0
      WHEN {{ value }} IS NOT NULL THEN 0.0
    END
{%- endmacro -%}
