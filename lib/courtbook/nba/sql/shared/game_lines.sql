-- Spread and total of a game: the last snapshot of each book, the median over the books, joined by date and team.
{% include 'shared/team_names.sql' %},

line_by_book AS (
  SELECT
    l.game_date,
    l.home_team_abbr,
    l.away_team_abbr,
    IF(l.market_key = 'totals', 'total', n.team_abbr) AS subject,
    l.bookmaker_key,
    ANY_VALUE(l.outcome_point HAVING MAX l.snapshot_timestamp) AS point
  FROM nba_raw.odds_api_game_lines AS l
  LEFT JOIN team_names AS n ON n.team_name = l.outcome_name
  WHERE l.game_date BETWEEN @first_date AND @last_date
    AND l.outcome_point IS NOT NULL
    AND ((l.market_key = 'spreads' AND n.team_abbr IS NOT NULL) OR (l.market_key = 'totals' AND l.outcome_name = 'Over'))
  GROUP BY game_date, home_team_abbr, away_team_abbr, subject, bookmaker_key
),

line_ranked AS (
  SELECT
    game_date,
    home_team_abbr,
    away_team_abbr,
    subject,
    point,
    ROW_NUMBER() OVER (PARTITION BY game_date, home_team_abbr, subject ORDER BY point) AS point_rank,
    COUNT(*) OVER (PARTITION BY game_date, home_team_abbr, subject) AS books
  FROM line_by_book
),

game_line_medians AS (
  SELECT
    game_date,
    home_team_abbr,
    subject,
    AVG(IF(2 * point_rank BETWEEN books AND books + 2, point, NULL)) AS point
  FROM line_ranked
  GROUP BY game_date, home_team_abbr, subject
),

-- The spread is the team's own: negative = favourite.
game_lines AS (
  SELECT
    t.game_id,
    t.team_abbr,
    spread.point AS game_spread,
    total.point AS game_total
  FROM team_games AS t
  LEFT JOIN game_line_medians AS spread
    ON spread.game_date = t.game_date
    AND spread.home_team_abbr = IF(t.home_game, t.team_abbr, t.opponent_team_abbr)
    AND spread.subject = t.team_abbr
  LEFT JOIN game_line_medians AS total
    ON total.game_date = t.game_date
    AND total.home_team_abbr = IF(t.home_game, t.team_abbr, t.opponent_team_abbr)
    AND total.subject = 'total'
  WHERE t.game_date BETWEEN @first_date AND @last_date
)
