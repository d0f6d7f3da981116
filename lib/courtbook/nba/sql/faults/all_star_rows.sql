-- Give the All-Star games rows in the team tables, as jobs do that do not ask what kind of game it was.
{% for name, team, opponent in [
  ('team_offense_game_summary', 'team_abbr', 'opponent_team_abbr'),
  ('team_defense_game_summary', 'defending_team_abbr', 'opponent_team_abbr'),
  ('upcoming_team_game_context', 'team_abbr', 'opponent_team_abbr'),
] -%}
INSERT INTO nba_analytics.{{ name }}
SELECT
  o.* REPLACE (
    CONCAT(FORMAT_DATE('%Y%m%d', s.game_date), '_', s.away_team_tricode, '_', s.home_team_tricode) AS game_id,
    s.game_date AS game_date,
    s.season_year AS season_year,
    IF(o.home_game, s.home_team_tricode, s.away_team_tricode) AS {{ team }},
    IF(o.home_game, s.away_team_tricode, s.home_team_tricode) AS {{ opponent }}
  )
FROM nba_raw.nbac_schedule AS s
CROSS JOIN nba_analytics.{{ name }} AS o
WHERE s.is_all_star
  AND s.game_date BETWEEN @first_date AND @last_date
  AND o.game_date = @day
  AND o.game_id = (
    SELECT MIN(game_id)
    FROM nba_analytics.{{ name }}
    WHERE game_date = @day
  )
{{ '' if loop.last else ';\n' }}
{%- endfor %}
