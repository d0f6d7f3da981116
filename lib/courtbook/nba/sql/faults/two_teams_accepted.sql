-- Leave one game of a date, as a fallback does that takes any row for success.
DELETE FROM nba_analytics.team_offense_game_summary
WHERE game_date = @day
  AND game_id != (
    SELECT MIN(game_id)
    FROM nba_analytics.team_offense_game_summary
    WHERE game_date = @day
  )
