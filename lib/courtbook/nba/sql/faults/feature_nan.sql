-- Make one value of one row, recent_trend, not a number.
UPDATE nba_predictions.ml_feature_store_v2
SET features = [
  {% for position in range(25) -%}
  {{ "CAST('NaN' AS FLOAT64)" if position == 11 else 'features[SAFE_OFFSET(' ~ position ~ ')]' }}{{ '' if loop.last else ',' }}
  {% endfor %}
]
WHERE game_date = @day
  AND player_lookup = (
    SELECT MIN(player_lookup)
    FROM nba_predictions.ml_feature_store_v2
    WHERE game_date = @day
  )
