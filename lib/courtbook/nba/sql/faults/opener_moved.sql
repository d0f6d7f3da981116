-- Move all games of the newest season's opening day by a day; their ids stay as they are.
UPDATE nba_raw.nbac_schedule
SET game_date = DATE_ADD(game_date, INTERVAL 1 DAY)
WHERE game_date = (
  SELECT MIN(game_date)
  FROM nba_raw.nbac_schedule
  WHERE is_regular_season
    AND season_year = (
      SELECT MAX(season_year)
      FROM nba_raw.nbac_schedule
      WHERE is_regular_season AND game_date BETWEEN @first_date AND @last_date
    )
)
