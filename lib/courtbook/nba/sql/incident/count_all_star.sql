UPDATE nba_raw.nbac_schedule
SET is_regular_season = @counts
WHERE game_date BETWEEN @first_date AND @last_date
  AND game_date IN (SELECT day FROM UNNEST(@dates) AS day)
  AND is_all_star
