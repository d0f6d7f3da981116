-- Rows of counted games that do not agree with the schedule's final score, or with what the opponent's row says was allowed.
WITH
{% include 'shared/games.sql' %}

SELECT
  COUNTIF(
    o.game_date != t.game_date
    OR COALESCE(o.season_year != t.season_year, TRUE)
    OR COALESCE(o.opponent_team_abbr != t.opponent_team_abbr, TRUE)
    OR COALESCE(o.home_game != t.home_game, TRUE)
    OR COALESCE(o.win_flag != (t.margin > 0), TRUE)
    OR COALESCE(o.margin_of_victory != t.margin, TRUE)
    OR o.points_scored - x.points_scored != t.margin
    OR o.points_scored != d.points_allowed
  ) AS numerator,
  COUNT(*) AS denominator
FROM nba_analytics.team_offense_game_summary AS o
JOIN team_games AS t ON t.game_id = o.game_id AND t.team_abbr = o.team_abbr
LEFT JOIN (SELECT * FROM nba_analytics.team_offense_game_summary WHERE game_date BETWEEN @first_date AND @last_date) AS x
  ON x.game_id = t.game_id AND x.team_abbr = t.opponent_team_abbr
LEFT JOIN (SELECT * FROM nba_analytics.team_defense_game_summary WHERE game_date BETWEEN @first_date AND @last_date) AS d
  ON d.game_id = t.game_id AND d.defending_team_abbr = t.opponent_team_abbr
WHERE o.game_date BETWEEN @first_date AND @last_date
