-- The highest scores: the rows that a person can check against memory.
SELECT
  game_date,
  player_lookup AS player,
  team_abbr AS team,
  opponent_team_abbr AS opponent,
  points,
  minutes_played AS minutes,
  usage_rate,
  ts_pct,
  primary_source_used AS source
FROM nba_analytics.player_game_summary
WHERE game_date BETWEEN @first_date AND @last_date
ORDER BY points DESC, game_date, player
LIMIT 10
