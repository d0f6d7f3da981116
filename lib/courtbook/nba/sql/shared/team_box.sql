{%- from 'shared/macros.sql' import strict_sum -%}
-- Team box scores by date and team, whatever spelling of the game id the source has.
boxscore_teams AS (
  SELECT
    t.game_id,
    t.team_abbr,
    SAFE_CAST(SPLIT(b.minutes, ':')[SAFE_OFFSET(0)] AS INT64) AS team_minutes,
    b.points,
    b.fg_made AS fg_makes,
    b.fg_attempted AS fg_attempts,
    b.three_pt_made AS three_pt_makes,
    b.three_pt_attempted AS three_pt_attempts,
    b.ft_made AS ft_makes,
    b.ft_attempted AS ft_attempts,
    b.offensive_rebounds,
    b.defensive_rebounds,
    b.total_rebounds AS rebounds,
    b.assists,
    b.steals,
    b.blocks,
    b.turnovers,
    b.personal_fouls,
    FALSE AS is_reconstructed
  FROM nba_raw.nbac_team_boxscore AS b
  JOIN team_games AS t ON t.game_date = b.game_date AND t.team_abbr = b.team_abbr
  WHERE b.game_date BETWEEN @history_from AND @last_date
),

-- What the team box score lacks is summed from at least five active players.
reconstructed_teams AS (
  SELECT
    p.game_id,
    p.team_abbr,
    240 + 25 * CAST(IF(SUM(p.seconds) > 15150, ROUND((SUM(p.seconds) - 14400) / 1500), 0) AS INT64) AS team_minutes,
    {% for column in ['points', 'fg_makes', 'fg_attempts', 'three_pt_makes', 'three_pt_attempts', 'ft_makes', 'ft_attempts',
        'offensive_rebounds', 'defensive_rebounds'] -%}
    {{ strict_sum('p.' + column) }} AS {{ column }},
    {% endfor -%}
    {{ strict_sum('p.total_rebounds') }} AS rebounds,
    {% for column in ['assists', 'steals', 'blocks', 'turnovers', 'personal_fouls'] -%}
    {{ strict_sum('p.' + column) }} AS {{ column }},
    {% endfor -%}
    TRUE AS is_reconstructed
  FROM box_scores AS p
  LEFT JOIN boxscore_teams AS b ON b.game_id = p.game_id AND b.team_abbr = p.team_abbr
  WHERE b.game_id IS NULL
  GROUP BY p.game_id, p.team_abbr
  HAVING COUNT(*) >= 5
),

-- Offensive rebounds that a source does not have are estimated as 0.235 of the missed shots, and the row is marked.
team_box AS (
  SELECT
    t.game_date,
    t.season_year,
    t.opponent_team_abbr,
    t.home_game,
    t.margin,
    b.*,
    b.offensive_rebounds IS NULL AS is_oreb_estimated,
    b.fg_attempts + 0.44 * b.ft_attempts + b.turnovers
      - COALESCE(CAST(b.offensive_rebounds AS FLOAT64), 0.235 * (b.fg_attempts - b.fg_makes)) AS possessions,
    DIV(b.team_minutes - 240, 25) AS overtime_periods
  FROM (SELECT * FROM boxscore_teams UNION ALL SELECT * FROM reconstructed_teams) AS b
  JOIN team_games AS t ON t.game_id = b.game_id AND t.team_abbr = b.team_abbr
)
