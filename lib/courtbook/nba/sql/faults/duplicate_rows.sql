-- Insert 354 player rows a second time, from a date on.
INSERT INTO nba_analytics.player_game_summary
SELECT *
FROM nba_analytics.player_game_summary
WHERE game_date BETWEEN @day AND @last_date
ORDER BY game_date, game_id, player_lookup
LIMIT 354
