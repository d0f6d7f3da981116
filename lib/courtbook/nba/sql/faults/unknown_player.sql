-- Add a player to one game who stands in none of the raw box scores.
INSERT INTO nba_analytics.player_game_summary
SELECT * REPLACE ('nobody' AS player_lookup)
FROM nba_analytics.player_game_summary
WHERE game_date = @day
  AND player_lookup = (
    SELECT MIN(player_lookup)
    FROM nba_analytics.player_game_summary
    WHERE game_date = @day
  )
