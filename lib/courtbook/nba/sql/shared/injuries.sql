-- The last word of the day's injury report about each player.
injuries AS (
  SELECT
    game_date,
    player_lookup,
    ANY_VALUE(team HAVING MAX report_hour) AS team_abbr,
    ANY_VALUE(injury_status HAVING MAX report_hour) AS injury_status
  FROM nba_raw.nbac_injury_report
  WHERE game_date BETWEEN @first_date AND @last_date
  GROUP BY game_date, player_lookup
),

-- Without a report for the date nothing is known about anybody: that is not the same as "everybody is fit".
reported_dates AS (
  SELECT DISTINCT game_date
  FROM injuries
)
