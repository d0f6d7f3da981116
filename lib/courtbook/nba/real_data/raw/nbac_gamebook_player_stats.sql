SELECT raw_id(scheduled, away, home) AS game_id, game_date, season_year, home AS home_team_abbr,
    away AS away_team_abbr, team_abbr, player_name, player_lookup,
    CASE WHEN active THEN 'active' ELSE 'dnp' END AS player_status,
    clock(round(played * 60)::BIGINT) AS minutes, round(played, 4) AS minutes_decimal, pts AS points,
    fgm AS field_goals_made, fga AS field_goals_attempted, fg3m AS three_pointers_made,
    fg3a AS three_pointers_attempted, ftm AS free_throws_made, fta AS free_throws_attempted,
    oreb AS offensive_rebounds, dreb AS defensive_rebounds, reb AS total_rebounds, ast AS assists,
    stl AS steals, blk AS blocks, tov AS turnovers, pf AS personal_fouls, plus_minus
FROM player_boxscores ORDER BY game_date, game_id, team_abbr, player_lookup
