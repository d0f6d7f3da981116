-- Give the last feature, team_win_pct, its default in all rows.
UPDATE nba_predictions.ml_feature_store_v2
SET features = [
  {% for position in range(24) -%}
  features[SAFE_OFFSET({{ position }})],
  {% endfor -%}
  0.5
]
WHERE game_date BETWEEN @first_date AND @last_date
