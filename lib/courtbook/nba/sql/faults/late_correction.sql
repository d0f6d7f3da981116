-- Correct a date of Phase 3 after everything else was computed: one more assist, and a new time for all its rows.
UPDATE nba_analytics.player_game_summary
SET
  assists = assists + 1,
  processed_at = @processed_at
WHERE game_date = @day
