-- What the files lack and is let through: kind, words, count, examples. $empty are the raw tables for which no file is
-- meant.
WITH words(place, kind, words) AS (
    VALUES
        (1, 'no_boxscore', 'final games without a box score'),
        (2, 'no_score', 'games without a score, taken as not final'),
        (3, 'boxscore_without_score', 'games with a box score but without a final score'),
        (4, 'one_team_only', 'games with the box score of one team only; no team rows'),
        (5, 'score_differs', 'games whose score is not the sum of the player points'),
        (6, 'null_values', 'player rows with NULL among the counts'),
        (7, 'whole_minutes', 'player rows with whole minutes only'),
        (8, 'zero_minutes', 'player rows with zero or no minutes'),
        (9, 'no_dnp_rows', 'games without a row for any player who did not play'),
        (10, 'starter', 'player rows; who started is not loaded, the raw tables have no such column'),
        (11, 'name_spelling', 'players with more than one spelling; the most frequent one is the key'),
        (12, 'same_name', 'players who share a name with another one of the same season; the id is part of the key'),
        (13, 'no_lines', 'counted games without a spread or without a total'),
        (14, 'no_zones', 'counted games without shot zones'),
        (15, 'no_source', 'table without a source; it stays empty')),

marked AS (
    SELECT *, home_score + away_score IS NOT NULL AS final, game_id IN (SELECT game_id FROM player_boxscores) AS box,
        EXISTS (FROM game_lines) AND game_id NOT IN (
            SELECT game_id FROM game_lines WHERE home_spread + total IS NOT NULL) AS no_lines,
        EXISTS (FROM shot_zones) AND game_id NOT IN (SELECT game_id FROM shot_zones) AS no_zones
    FROM games),
kinds AS (
    SELECT *, unnest([CASE WHEN final AND NOT box THEN 'no_boxscore' END, CASE WHEN NOT final THEN 'no_score' END,
        CASE WHEN box AND NOT final THEN 'boxscore_without_score' END,
        CASE WHEN counted AND no_lines THEN 'no_lines' END, CASE WHEN counted AND no_zones THEN 'no_zones' END]) AS kind
    FROM marked),
box AS (
    SELECT *, season(season_year) || ' ' || season_type AS label,
        list_count([plus_minus, *COLUMNS(getvariable('stats'))]) < len(getvariable('stats')) + 1 AS lacking
    FROM player_boxscores),
filled AS (
    SELECT label, count(*) AS n, count_if(lacking) AS n_lacking, count(COLUMNS(getvariable('stats'))),
        count(plus_minus) AS plus_minus
    FROM box GROUP BY label),
counts AS (
    SELECT label, n, n_lacking, getvariable('stats') || ['plus_minus'] AS names,
        [*COLUMNS(getvariable('stats')), plus_minus] AS filled
    FROM filled),
spans AS (
    SELECT base_lookup, player_lookup, min(season_year) AS a, max(season_year) AS z FROM player_boxscores GROUP BY ALL),

gaps AS (
    SELECT kind, season(season_year) || ' ' || season_type AS label, count(*) AS n,
        list(DISTINCT game_date::VARCHAR ORDER BY game_date::VARCHAR) AS examples
    FROM kinds WHERE kind IS NOT NULL GROUP BY ALL
    UNION ALL SELECT 'one_team_only', '', count(*), list(game_id ORDER BY game_id) FROM teams WHERE NOT both_teams
    UNION ALL SELECT 'score_differs', '', count(DISTINCT game_id), list(DISTINCT game_id ORDER BY game_id)
        FROM teams WHERE score <> pts
    UNION ALL SELECT 'null_values', label, n_lacking,
            [pair[1] || ' ' || (n - pair[2]) FOR pair IN list_zip(names, filled) IF pair[2] < n]
        FROM counts
    UNION ALL SELECT 'whole_minutes', label, count_if(minutes_decimal IS NULL), [] FROM box GROUP BY label
    UNION ALL SELECT 'zero_minutes', CASE WHEN active THEN 'active' ELSE 'dnp' END, count(*),
            list(game_date || ' ' || player_name ORDER BY game_date, player_name)
        FROM box WHERE coalesce(played, 0) = 0 GROUP BY ALL
    UNION ALL SELECT 'no_dnp_rows', '', count(*), []
        FROM (SELECT game_id FROM box GROUP BY game_id HAVING bool_and(active))
    UNION ALL SELECT 'starter', '', count(*), [] FROM box
    UNION ALL SELECT 'name_spelling', '', count(*), list(player_lookup ORDER BY player_lookup)
        FROM players WHERE spellings > 1
    UNION ALL SELECT 'same_name', '', count(*), list(player_lookup ORDER BY player_lookup) FROM spans AS x
        WHERE player_lookup <> base_lookup AND EXISTS (FROM spans AS y WHERE x.base_lookup = y.base_lookup
            AND x.player_lookup <> y.player_lookup AND x.a <= y.z AND y.a <= x.z)
    UNION ALL SELECT 'no_source', name, 1, [name] FROM (SELECT unnest($empty::VARCHAR[]) AS name))

SELECT kind, if(label = '', words, label || ': ' || words), n, examples[:16]
FROM gaps JOIN words USING (kind) WHERE n > 0 ORDER BY place, label
