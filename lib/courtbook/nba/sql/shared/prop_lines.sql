-- Points lines: the first and the last snapshot of each book, and their medians over the books.
prop_by_book AS (
  SELECT
    game_date,
    player_lookup,
    bookmaker,
    ANY_VALUE(points_line HAVING MAX snapshot_timestamp) AS closing,
    ANY_VALUE(points_line HAVING MIN snapshot_timestamp) AS opening
  FROM nba_raw.odds_api_player_points_props
  WHERE game_date BETWEEN @first_date AND @last_date
    AND points_line IS NOT NULL
  GROUP BY game_date, player_lookup, bookmaker
),

prop_ranked AS (
  SELECT
    game_date,
    player_lookup,
    closing,
    opening,
    ROW_NUMBER() OVER (PARTITION BY game_date, player_lookup ORDER BY closing) AS closing_rank,
    ROW_NUMBER() OVER (PARTITION BY game_date, player_lookup ORDER BY opening) AS opening_rank,
    COUNT(*) OVER (PARTITION BY game_date, player_lookup) AS books
  FROM prop_by_book
),

prop_lines AS (
  SELECT
    game_date,
    player_lookup,
    AVG(IF(2 * closing_rank BETWEEN books AND books + 2, closing, NULL)) AS closing_line,
    AVG(IF(2 * opening_rank BETWEEN books AND books + 2, opening, NULL)) AS opening_line
  FROM prop_ranked
  GROUP BY game_date, player_lookup
)
