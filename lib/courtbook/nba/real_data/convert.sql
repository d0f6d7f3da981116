-- What the raw tables and the gaps share.

CREATE TEMP MACRO season(y) AS y || '-' || lpad(((y + 1) % 100)::VARCHAR, 2, '0');
CREATE TEMP MACRO raw_id(day, away, home) AS strftime(day, '%Y%m%d_') || away || '_' || home;
CREATE TEMP MACRO clock(s) AS lpad((s // 60)::VARCHAR, 2, '0') || ':' || lpad((s % 60)::VARCHAR, 2, '0');
CREATE TEMP MACRO full_name(team) AS coalesce(getvariable('team_names')[team], team);
-- A team's sum is unknown as soon as one of its parts is.
CREATE TEMP MACRO whole(x) AS CASE WHEN count(*) = count(x) THEN sum(x)::BIGINT END;

CREATE TEMP TABLE teams AS
    WITH sums AS (
        SELECT game_id, scheduled AS game_date, season_year, team_abbr, home, away, home_score, away_score,
            sum(played) AS played, whole(pts) AS pts, whole(COLUMNS(getvariable('stats')))
        FROM player_boxscores WHERE active GROUP BY ALL)
    SELECT *, count(*) OVER game = 2 AS both_teams,
        greatest(0, round((coalesce(played, 240) - 240) / 25))::BIGINT AS overtimes,
        CASE WHEN team_abbr = home THEN home_score ELSE away_score END AS score,
        CASE WHEN team_abbr = home THEN home_score - away_score ELSE away_score - home_score END AS by_score,
        coalesce(by_score, 2 * pts - sum(pts) OVER game)::BIGINT AS margin
    FROM sums WINDOW game AS (PARTITION BY game_id);
