{% include 'shared/games.sql' %},

expected AS (
  SELECT
    t.game_date AS day,
    t.team_abbr AS entity,
    TRUE AS is_obtainable
  FROM team_games AS t
  JOIN target_dates AS d ON d.game_date = t.game_date
)
