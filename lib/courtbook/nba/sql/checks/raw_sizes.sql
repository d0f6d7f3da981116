-- Raw games that cannot be: more players of a team than a roster holds, or one game id on several dates.
SELECT
  COUNTIF(team_rows > 25 OR dates > 1) AS numerator,
  COUNT(*) AS denominator,
  SUBSTR(STRING_AGG(IF(team_rows > 25 OR dates > 1, game_id, NULL), ', ' ORDER BY game_id), 1, 200) AS detail
FROM (
  SELECT
    game_id,
    COUNT(*) / COUNT(DISTINCT team_abbr) AS team_rows,
    COUNT(DISTINCT game_date) AS dates
  FROM {{ table.full_name }}
  WHERE game_date BETWEEN @first_date AND @last_date
  GROUP BY game_id
) AS games
