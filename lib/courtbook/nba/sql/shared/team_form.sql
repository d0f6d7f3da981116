-- What a team brings into a game: rest and the means of its last ten games of the season, strictly before the date.
team_form AS (
  SELECT
    t.game_id,
    t.game_date,
    t.season_year,
    t.team_abbr,
    DATE_DIFF(t.game_date, LAG(t.game_date) OVER (PARTITION BY t.team_abbr, t.season_year ORDER BY t.game_date), DAY) AS days_since_last_game,
    AVG(own.pace) OVER last_10 AS pace_last_10,
    AVG(own.offensive_rating) OVER last_10 AS off_rating_last_10,
    AVG(other.offensive_rating) OVER last_10 AS def_rating_last_10
  FROM team_games AS t
  LEFT JOIN (SELECT * FROM nba_analytics.team_offense_game_summary WHERE game_date BETWEEN @history_from AND @last_date) AS own
    ON own.game_date = t.game_date AND own.game_id = t.game_id AND own.team_abbr = t.team_abbr
  LEFT JOIN (SELECT * FROM nba_analytics.team_offense_game_summary WHERE game_date BETWEEN @history_from AND @last_date) AS other
    ON other.game_date = t.game_date AND other.game_id = t.game_id AND other.team_abbr = t.opponent_team_abbr
  WINDOW last_10 AS (
    PARTITION BY t.team_abbr, t.season_year
    ORDER BY t.game_date
    ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING
  )
)
