-- Cut the last feature off on one date.
UPDATE nba_predictions.ml_feature_store_v2
SET features = [
  {% for position in range(24) -%}
  features[SAFE_OFFSET({{ position }})]{{ '' if loop.last else ',' }}
  {% endfor %}
]
WHERE game_date = @day
