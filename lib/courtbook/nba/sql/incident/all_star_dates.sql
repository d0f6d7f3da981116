SELECT DISTINCT game_date AS day
FROM nba_raw.nbac_schedule
WHERE game_date BETWEEN @first_date AND @last_date
  AND is_all_star
  AND season_year <= @last_season
ORDER BY day
