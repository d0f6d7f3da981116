-- The 100 highest scores of the range, and those of them that the raw box scores confirm for the same player and team.
WITH
{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %},

highest AS (
  SELECT
    game_date,
    player_lookup,
    team_abbr,
    points
  FROM nba_analytics.player_game_summary
  WHERE game_date BETWEEN @first_date AND @last_date
    AND points IS NOT NULL
  ORDER BY points DESC, game_date, player_lookup
  LIMIT 100
)

SELECT
  COUNTIF(b.points = h.points) AS numerator,
  COUNT(*) AS denominator,
  SUBSTR(
    STRING_AGG(
      IF(COALESCE(b.points = h.points, FALSE), NULL, CONCAT(h.player_lookup, ' ', CAST(h.game_date AS STRING))),
      ', ' ORDER BY h.points DESC, h.game_date
    ),
    1, 200
  ) AS detail
FROM highest AS h
LEFT JOIN box_scores AS b
  ON b.game_date = h.game_date AND b.player_lookup = h.player_lookup AND b.team_abbr = h.team_abbr
