-- Leave one row of a table on one date; that date still has rows.
DELETE FROM nba_analytics.upcoming_team_game_context
WHERE game_date = @day
  AND team_abbr != (
    SELECT MIN(team_abbr)
    FROM nba_analytics.upcoming_team_game_context
    WHERE game_date = @day
  )
