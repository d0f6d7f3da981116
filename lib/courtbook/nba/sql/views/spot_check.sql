-- The rows of games that were named in the parameters, by league id.
SELECT
  s.game_id AS league_id,
  p.game_id,
  p.player_lookup AS player,
  p.team_abbr AS team,
  p.points,
  p.minutes_played AS minutes,
  p.usage_rate,
  p.primary_source_used AS source
FROM nba_raw.nbac_schedule AS s
LEFT JOIN (SELECT * FROM nba_analytics.player_game_summary WHERE game_date BETWEEN @first_date AND @last_date) AS p
  ON p.game_date = s.game_date
  AND p.game_id = CONCAT(FORMAT_DATE('%Y%m%d', s.game_date), '_', s.away_team_tricode, '_', s.home_team_tricode)
WHERE s.game_date BETWEEN @first_date AND @last_date
  AND s.game_id IN (SELECT wanted FROM UNNEST(@games) AS wanted)
ORDER BY league_id, team, points DESC
