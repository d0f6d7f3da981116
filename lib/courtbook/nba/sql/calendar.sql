-- Every date with a game that counts, with its season and the season's opening day.
WITH season_starts AS (
  SELECT
    season_year,
    MIN(game_date) AS season_start
  FROM nba_raw.nbac_schedule
  WHERE game_date BETWEEN @seasons_from AND @last_date
    AND is_regular_season
  GROUP BY season_year
)

SELECT
  g.game_date AS day,
  g.season_year AS season,
  s.season_start,
  COUNT(*) AS games
FROM nba_raw.nbac_schedule AS g
JOIN season_starts AS s ON s.season_year = g.season_year
WHERE g.game_date BETWEEN @first_date AND @last_date
  AND g.game_status = 3
  AND (g.is_regular_season OR g.is_play_in OR g.is_playoffs OR g.is_cup_final)
GROUP BY g.game_date, g.season_year, s.season_start
ORDER BY g.game_date
