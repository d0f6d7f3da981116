-- Drop a column of the player table.
ALTER TABLE nba_analytics.player_game_summary
DROP COLUMN usage_rate
