-- Empty the minutes of all player rows but every 200th.
UPDATE nba_analytics.player_game_summary
SET minutes_played = NULL
WHERE CONCAT(game_id, '/', player_lookup) NOT IN (
  SELECT row_key
  FROM (
    SELECT
      CONCAT(game_id, '/', player_lookup) AS row_key,
      ROW_NUMBER() OVER (ORDER BY game_id, player_lookup) AS position
    FROM nba_analytics.player_game_summary
  ) AS numbered
  WHERE MOD(position, 200) = 0
)
