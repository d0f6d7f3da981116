-- One table for each file: its typed rows and what the rules ask about them.

-- A player id has one key, of its most frequent spelling; where two ids share it, the one who came later gets the id
-- appended.
CREATE TEMP TABLE players AS
    WITH spelled AS (
        SELECT player_id, lookup, count(*) AS n, min(game_date) AS since
        FROM player_boxscores_sheet JOIN lookups USING (player_name) WHERE player_id IS NOT NULL GROUP BY ALL),
    one AS (
        SELECT player_id, first(lookup ORDER BY n DESC, lookup) AS base_lookup, count(*) AS spellings,
            row_number() OVER (PARTITION BY base_lookup ORDER BY min(since) NULLS LAST, player_id) > 1 AS later
        FROM spelled GROUP BY player_id)
    SELECT player_id, base_lookup, spellings, if(later, base_lookup || player_id, base_lookup) AS player_lookup
    FROM one;

CREATE TEMP TABLE one_game AS
    SELECT DISTINCT ON (game_id) * EXCLUDE (row) FROM games_sheet WHERE game_id IS NOT NULL ORDER BY game_id, row;

CREATE TEMP TABLE games AS
    WITH typed AS (
        SELECT *, count(*) OVER (PARTITION BY game_id) AS same_key,
            season_type IN ('Regular Season', 'Play-In', 'Playoffs', 'NBA Cup Final') AS counted,
            coalesce(counted, false) OR game_id IN (
                SELECT game_id FROM player_boxscores_sheet UNION ALL SELECT game_id FROM game_lines_sheet) AS used
        FROM games_sheet),
    teams AS (SELECT game_id, game_date, unnest([home_team_abbr, away_team_abbr]) AS team FROM typed WHERE used),
    twice AS (SELECT game_date, team FROM teams GROUP BY ALL HAVING count(DISTINCT game_id) > 1)
    SELECT *, used AND EXISTS (
        FROM twice WHERE twice.game_date = typed.game_date AND team IN (home_team_abbr, away_team_abbr)) AS team_twice
    FROM typed;

CREATE TEMP TABLE player_boxscores AS
    SELECT b.*, count(*) OVER (PARTITION BY b.game_id, b.player_id) AS same_key, base_lookup, player_lookup,
        b.game_id IS NULL OR g.game_id IS NOT NULL AS in_games, g.game_date AS scheduled,
        home_team_abbr AS home, away_team_abbr AS away, season_year, season_type, home_score, away_score,
        base_lookup <> '' AND min(player_id) OVER same <> max(player_id) OVER same AS same_name,
        coalesce(minutes_decimal, minutes) AS played,
        played > 0 OR list_sum([pts, *COLUMNS(getvariable('stats'))]) > 0 OR coalesce(plus_minus, 0) <> 0 AS active
    FROM player_boxscores_sheet AS b LEFT JOIN one_game AS g USING (game_id) LEFT JOIN players USING (player_id)
    WINDOW same AS (PARTITION BY b.game_id, team_abbr, base_lookup);

CREATE TEMP TABLE game_lines AS
    SELECT l.*, count(*) OVER (PARTITION BY l.game_id) AS same_key, g.game_date AS scheduled,
        l.game_id IS NULL OR g.game_id IS NOT NULL AS in_games, g.home_team_abbr AS home, g.away_team_abbr AS away
    FROM game_lines_sheet AS l LEFT JOIN one_game AS g USING (game_id);

CREATE TEMP TABLE shot_zones AS
    WITH box AS (SELECT DISTINCT ON (game_id, player_id) game_id, player_id, team_abbr AS box_team, player_lookup
        FROM player_boxscores ORDER BY ALL)
    SELECT z.*, count(*) OVER (PARTITION BY z.game_id, z.player_id) AS same_key, box_team, player_lookup,
        z.game_id IS NULL OR g.game_id IS NOT NULL AS in_games, g.game_date AS scheduled,
        g.home_team_abbr AS home, g.away_team_abbr AS away,
        z.game_id IS NULL OR z.player_id IS NULL OR box.game_id IS NOT NULL AS in_box
    FROM shot_zones_sheet AS z LEFT JOIN one_game AS g USING (game_id) LEFT JOIN box USING (game_id, player_id);
