-- Rows of counted games whose values are not those of the raw box score that they were made from.
WITH
{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %}

SELECT
  COUNTIF(
    p.game_date != b.game_date
    OR COALESCE(p.season_year != b.season_year, TRUE)
    OR COALESCE(p.team_abbr != b.team_abbr, TRUE)
    OR COALESCE(p.opponent_team_abbr != b.opponent_team_abbr, TRUE)
    OR COALESCE(p.home_game != b.home_game, TRUE)
    OR COALESCE(p.win_flag != (b.margin > 0), TRUE)
    OR COALESCE(p.primary_source_used != b.primary_source_used, TRUE)
    OR p.points != b.points
    OR p.assists != b.assists
    OR p.fg_attempts != b.fg_attempts
    OR p.turnovers != b.turnovers
    OR NOT ABS(p.minutes_played - b.seconds / 60) <= 0.11
  ) AS numerator,
  COUNT(*) AS denominator
FROM nba_analytics.player_game_summary AS p
JOIN box_scores AS b ON b.game_id = p.game_id AND b.player_lookup = p.player_lookup
WHERE p.game_date BETWEEN @first_date AND @last_date
