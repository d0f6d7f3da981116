-- Let the mean of points allowed include the date's own game, from a date on.
UPDATE nba_precompute.team_defense_zone_analysis AS c
SET opponent_points_per_game = m.points
FROM (
  WITH
  {% include 'shared/games.sql' %}

  SELECT
    d.game_date,
    d.defending_team_abbr AS team_abbr,
    AVG(d.points_allowed) OVER (
      PARTITION BY d.defending_team_abbr, d.season_year ORDER BY d.game_date ROWS BETWEEN 14 PRECEDING AND CURRENT ROW
    ) AS points
  FROM nba_analytics.team_defense_game_summary AS d
  JOIN counted_games AS g ON g.game_id = d.game_id
  WHERE d.game_date BETWEEN @history_from AND @last_date
) AS m
WHERE m.game_date = c.analysis_date
  AND m.team_abbr = c.team_abbr
  AND c.analysis_date >= @day
