WITH sides AS (
    SELECT *, unnest([
        {'market': 'spreads', 'outcome': full_name(home), 'point': home_spread},
        {'market': 'spreads', 'outcome': full_name(away), 'point': 0 - home_spread},
        {'market': 'totals', 'outcome': 'Over', 'point': total},
        {'market': 'totals', 'outcome': 'Under', 'point': total}]) AS side
    FROM game_lines)
SELECT game_date, home AS home_team_abbr, away AS away_team_abbr, 'consensus' AS bookmaker_key,
    side.market AS market_key, side.outcome AS outcome_name, side.point AS outcome_point,
    game_date + INTERVAL 23 HOUR AS snapshot_timestamp
FROM sides WHERE side.point IS NOT NULL ORDER BY game_date, game_id, market_key, outcome_name
