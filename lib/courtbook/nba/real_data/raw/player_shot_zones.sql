SELECT raw_id(scheduled, away, home) AS game_id, game_date, player_lookup, team_abbr, paint_makes,
    paint_attempts, mid_range_makes, mid_range_attempts, three_makes AS three_pt_makes,
    three_attempts AS three_pt_attempts, NULL AS assisted_fg_makes
FROM shot_zones ORDER BY game_date, game_id, player_lookup
