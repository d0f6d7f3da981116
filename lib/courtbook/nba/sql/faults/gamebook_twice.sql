-- Load one date of the gamebook a second time.
INSERT INTO nba_raw.nbac_gamebook_player_stats
SELECT *
FROM nba_raw.nbac_gamebook_player_stats
WHERE game_date = @day
