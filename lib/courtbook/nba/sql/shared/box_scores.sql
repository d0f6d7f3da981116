-- Active players of counted games: the gamebook; for a game that it lacks altogether, the second source.
gamebook_games AS (
  SELECT DISTINCT t.game_id
  FROM nba_raw.nbac_gamebook_player_stats AS b
  JOIN team_games AS t ON t.game_date = b.game_date AND t.team_abbr = b.team_abbr
  WHERE b.game_date BETWEEN @history_from AND @last_date
),

source_rows AS (
  SELECT
    t.game_id,
    b.player_lookup,
    b.player_name AS player_full_name,
    b.team_abbr,
    b.minutes,
    b.minutes_decimal,
    b.points,
    b.field_goals_made AS fg_makes,
    b.field_goals_attempted AS fg_attempts,
    b.three_pointers_made AS three_pt_makes,
    b.three_pointers_attempted AS three_pt_attempts,
    b.free_throws_made AS ft_makes,
    b.free_throws_attempted AS ft_attempts,
    b.offensive_rebounds,
    b.defensive_rebounds,
    b.total_rebounds,
    b.assists,
    b.steals,
    b.blocks,
    b.turnovers,
    b.personal_fouls,
    b.plus_minus,
    'nbac_gamebook' AS primary_source_used
  FROM nba_raw.nbac_gamebook_player_stats AS b
  JOIN team_games AS t ON t.game_date = b.game_date AND t.team_abbr = b.team_abbr
  WHERE b.game_date BETWEEN @history_from AND @last_date
    AND b.player_status = 'active'
  UNION ALL
  SELECT
    t.game_id,
    b.player_lookup,
    b.player_full_name,
    b.team_abbr,
    b.minutes,
    CAST(NULL AS FLOAT64) AS minutes_decimal,
    b.points,
    b.field_goals_made AS fg_makes,
    b.field_goals_attempted AS fg_attempts,
    b.three_pointers_made AS three_pt_makes,
    b.three_pointers_attempted AS three_pt_attempts,
    b.free_throws_made AS ft_makes,
    b.free_throws_attempted AS ft_attempts,
    b.offensive_rebounds,
    b.defensive_rebounds,
    b.rebounds AS total_rebounds,
    b.assists,
    b.steals,
    b.blocks,
    b.turnovers,
    b.personal_fouls,
    CAST(NULL AS INT64) AS plus_minus,
    'bdl_boxscores' AS primary_source_used
  FROM nba_raw.bdl_player_boxscores AS b
  JOIN team_games AS t ON t.game_date = b.game_date AND t.team_abbr = b.team_abbr
  LEFT JOIN gamebook_games AS known ON known.game_id = t.game_id
  WHERE b.game_date BETWEEN @history_from AND @last_date
    AND known.game_id IS NULL
),

-- Minutes come as 'MM:SS' or as whole minutes; seconds are exact, so everything later starts from them.
box_scores AS (
  SELECT
    t.game_date,
    t.season_year,
    t.opponent_team_abbr,
    t.home_game,
    t.margin,
    s.*,
    COALESCE(
      IF(
        STRPOS(s.minutes, ':') > 0,
        60 * SAFE_CAST(SPLIT(s.minutes, ':')[SAFE_OFFSET(0)] AS INT64)
          + SAFE_CAST(SPLIT(s.minutes, ':')[SAFE_OFFSET(1)] AS INT64),
        60 * SAFE_CAST(s.minutes AS INT64)
      ),
      SAFE_CAST(ROUND(60 * s.minutes_decimal) AS INT64)
    ) AS seconds
  FROM source_rows AS s
  JOIN team_games AS t ON t.game_id = s.game_id AND t.team_abbr = s.team_abbr
)
