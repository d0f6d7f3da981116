{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %},

-- A team row can be had from the team box score, or else from at least five of the team's players.
sources AS (
  SELECT
    t.game_id,
    t.team_abbr
  FROM nba_raw.nbac_team_boxscore AS b
  JOIN team_games AS t ON t.game_date = b.game_date AND t.team_abbr = b.team_abbr
  WHERE b.game_date BETWEEN @first_date AND @last_date
  UNION DISTINCT
  SELECT
    game_id,
    team_abbr
  FROM box_scores
  GROUP BY game_id, team_abbr
  HAVING COUNT(*) >= 5
),

expected AS (
  SELECT
    t.game_date AS day,
    t.team_abbr AS entity,
    own.game_id IS NOT NULL AND other.game_id IS NOT NULL AS is_obtainable
  FROM team_games AS t
  JOIN target_dates AS d ON d.game_date = t.game_date
  LEFT JOIN sources AS own ON own.game_id = t.game_id AND own.team_abbr = t.team_abbr
  LEFT JOIN sources AS other ON other.game_id = t.game_id AND other.team_abbr = t.opponent_team_abbr
)
