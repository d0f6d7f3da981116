-- Write the game ids of the team table HOME_AWAY, while all others have AWAY_HOME.
UPDATE nba_analytics.team_offense_game_summary
SET game_id = CONCAT(
  SPLIT(game_id, '_')[SAFE_OFFSET(0)], '_', SPLIT(game_id, '_')[SAFE_OFFSET(2)], '_', SPLIT(game_id, '_')[SAFE_OFFSET(1)]
)
WHERE game_date BETWEEN @first_date AND @last_date
