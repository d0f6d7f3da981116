-- Take one team away from one date of a team table.
DELETE FROM nba_analytics.team_defense_game_summary
WHERE game_date = @day
  AND defending_team_abbr = (
    SELECT MIN(defending_team_abbr)
    FROM nba_analytics.team_defense_game_summary
    WHERE game_date = @day
  )
