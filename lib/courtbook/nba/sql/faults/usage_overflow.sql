-- Give one player of a full game an impossible usage rate.
UPDATE nba_analytics.player_game_summary
SET usage_rate = 1329.8
WHERE game_date = @day
  AND player_lookup = (
    SELECT MIN(player_lookup)
    FROM nba_analytics.player_game_summary
    WHERE game_date = @day AND minutes_played >= 20
  )
