SELECT game_id, strftime(game_date, '%Y%m%d/') || away_team_abbr || home_team_abbr AS game_code, game_date,
    season_year, CASE WHEN home_score IS NULL OR away_score IS NULL THEN 1 ELSE 3 END AS game_status,
    home_team_abbr AS home_team_tricode, away_team_abbr AS away_team_tricode,
    home_score AS home_team_score, away_score AS away_team_score,
    season_type = 'Regular Season' AS is_regular_season, season_type = 'Play-In' AS is_play_in,
    season_type = 'Playoffs' AS is_playoffs, season_type = 'NBA Cup Final' AS is_cup_final,
    season_type = 'All-Star' AS is_all_star, season_type = 'Preseason' AS is_preseason
FROM games ORDER BY game_date, game_id
