-- Player rows without the team row of the same game: usage rate cannot be computed for them.
SELECT
  COUNTIF(o.game_id IS NULL) AS numerator,
  COUNT(*) AS denominator
FROM nba_analytics.player_game_summary AS p
LEFT JOIN nba_analytics.team_offense_game_summary AS o
  ON o.game_date = p.game_date AND o.game_id = p.game_id AND o.team_abbr = p.team_abbr
  AND o.game_date BETWEEN @first_date AND @last_date
WHERE p.game_date BETWEEN @first_date AND @last_date
