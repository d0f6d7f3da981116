-- Empty the usage rate from a date on.
UPDATE nba_analytics.player_game_summary
SET usage_rate = NULL
WHERE game_date >= @day
