{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %},

player_games AS (
  SELECT
    game_date,
    player_lookup,
    ROW_NUMBER() OVER (PARTITION BY player_lookup, season_year ORDER BY game_date) - 1 AS earlier_games
  FROM (SELECT DISTINCT game_date, season_year, player_lookup FROM box_scores)
),

expected AS (
  SELECT
    p.game_date AS day,
    p.player_lookup AS entity,
    TRUE AS is_obtainable
  FROM player_games AS p
  JOIN target_dates AS d ON d.game_date = p.game_date
  WHERE p.earlier_games >= @min_games
)
