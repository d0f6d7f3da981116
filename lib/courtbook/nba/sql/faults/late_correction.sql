-- Correct a date of Phase 3 after everything else was computed: another plus-minus, and a new time for all its rows.
UPDATE nba_analytics.player_game_summary
SET
  plus_minus = plus_minus + 1,
  processed_at = @processed_at
WHERE game_date = @day
