SELECT raw_id(game_date, away, home) AS game_id, game_id AS nba_game_id, game_date, season_year, team_abbr,
    team_abbr = home AS is_home, (240 + 25 * overtimes) || ':00' AS minutes,
    fgm AS fg_made, fga AS fg_attempted, fg3m AS three_pt_made, fg3a AS three_pt_attempted,
    ftm AS ft_made, fta AS ft_attempted, oreb AS offensive_rebounds, dreb AS defensive_rebounds,
    reb AS total_rebounds, ast AS assists, stl AS steals, blk AS blocks, tov AS turnovers,
    pf AS personal_fouls, pts AS points, margin AS plus_minus
FROM teams WHERE both_teams ORDER BY game_date, nba_game_id, is_home
