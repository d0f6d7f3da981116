-- Load seven weeks of the second source three more times.
INSERT INTO nba_raw.bdl_player_boxscores
SELECT b.*
FROM nba_raw.bdl_player_boxscores AS b
CROSS JOIN UNNEST(GENERATE_ARRAY(1, 3)) AS repetition
WHERE b.game_date BETWEEN @day AND DATE_ADD(@day, INTERVAL 50 DAY)
