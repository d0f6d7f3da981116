-- Swap the first two names of the features on one date; the values stay where they are.
UPDATE nba_predictions.ml_feature_store_v2
SET feature_names = [
  {% for position in [1, 0] + range(2, 25) | list -%}
  feature_names[SAFE_OFFSET({{ position }})]{{ '' if loop.last else ',' }}
  {% endfor %}
]
WHERE game_date = @day
