{% include 'shared/games.sql' %},

expected AS (
  SELECT
    d.game_date AS day,
    t.team_abbr AS entity,
    TRUE AS is_obtainable
  FROM target_dates AS d
  JOIN team_games AS t ON t.season_year = d.season_year AND t.game_date < d.game_date
  GROUP BY d.game_date, t.team_abbr
  HAVING COUNT(*) >= @min_games
)
