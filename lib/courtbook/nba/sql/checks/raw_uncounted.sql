-- Box scores in the range whose game the schedule does not count: it is behind, or wrong. All-Star and preseason are left out.
WITH
schedule AS (
  SELECT
    game_date,
    team,
    LOGICAL_OR(COALESCE(is_all_star, FALSE) OR COALESCE(is_preseason, FALSE)) AS is_left_out,
    LOGICAL_OR(
      game_status = 3 AND season_year IS NOT NULL AND (is_regular_season OR is_play_in OR is_playoffs OR is_cup_final)
    ) AS is_counted
  FROM nba_raw.nbac_schedule
  CROSS JOIN UNNEST([home_team_tricode, away_team_tricode]) AS team
  WHERE game_date BETWEEN @range_start AND @range_end
  GROUP BY game_date, team
),

box_score_games AS (
  SELECT game_date, team_abbr AS team
  FROM nba_raw.nbac_gamebook_player_stats
  WHERE game_date BETWEEN @range_start AND @range_end
  UNION DISTINCT
  SELECT game_date, team_abbr AS team
  FROM nba_raw.nbac_team_boxscore
  WHERE game_date BETWEEN @range_start AND @range_end
)

SELECT
  COUNTIF(NOT COALESCE(s.is_counted, FALSE) AND NOT COALESCE(s.is_left_out, FALSE)) AS numerator,
  COUNT(*) AS denominator,
  SUBSTR(
    STRING_AGG(
      IF(
        NOT COALESCE(s.is_counted, FALSE) AND NOT COALESCE(s.is_left_out, FALSE),
        CONCAT(b.team, ' ', CAST(b.game_date AS STRING)),
        NULL
      ),
      ', ' ORDER BY b.game_date, b.team
    ),
    1, 200
  ) AS detail
FROM box_score_games AS b
LEFT JOIN schedule AS s ON s.game_date = b.game_date AND s.team = b.team
