-- How a team defended the zones in its last 15 games of the season, against the league's last 30 days.
-- One row a team with enough earlier games, on every game date, whether the team plays or not.
WITH
{% include 'shared/games.sql' %},

defense AS (
  SELECT
    t.game_date,
    t.season_year,
    t.team_abbr,
    d.opp_paint_makes,
    d.opp_paint_attempts,
    d.opp_mid_range_makes,
    d.opp_mid_range_attempts,
    d.opp_three_pt_makes,
    d.opp_three_pt_attempts,
    d.points_allowed,
    d.defensive_rating,
    d.opponent_pace,
    d.opp_paint_attempts IS NOT NULL AND d.opp_mid_range_attempts IS NOT NULL AS has_zones
  FROM team_games AS t
  LEFT JOIN (SELECT * FROM nba_analytics.team_defense_game_summary WHERE game_date BETWEEN @history_from AND @last_date) AS d
    ON d.game_date = t.game_date AND d.game_id = t.game_id AND d.defending_team_abbr = t.team_abbr
),

last_games AS (
  SELECT
    d.game_date AS analysis_date,
    g.*,
    ROW_NUMBER() OVER (PARTITION BY d.game_date, g.team_abbr ORDER BY g.game_date DESC) AS recency
  FROM target_dates AS d
  JOIN defense AS g ON g.season_year = d.season_year AND g.game_date < d.game_date
),

samples AS (
  SELECT
    analysis_date,
    team_abbr,
    COUNT(*) AS games_in_sample,
    COUNTIF(has_zones) AS zone_games_in_sample,
    SAFE_DIVIDE(SUM(IF(has_zones, opp_paint_makes, NULL)), SUM(IF(opp_paint_makes IS NULL, NULL, opp_paint_attempts))) AS paint_pct,
    SAFE_DIVIDE(SUM(IF(has_zones, opp_mid_range_makes, NULL)), SUM(IF(opp_mid_range_makes IS NULL, NULL, opp_mid_range_attempts))) AS mid_range_pct,
    SAFE_DIVIDE(SUM(opp_three_pt_makes), SUM(opp_three_pt_attempts)) AS three_pt_pct,
    AVG(IF(has_zones, opp_paint_attempts, NULL)) AS paint_attempts,
    AVG(IF(has_zones, opp_mid_range_attempts, NULL)) AS mid_range_attempts,
    AVG(opp_three_pt_attempts) AS three_pt_attempts,
    AVG(defensive_rating) AS defensive_rating,
    AVG(points_allowed) AS points_allowed,
    AVG(opponent_pace) AS opponent_pace
  FROM last_games
  WHERE recency <= 15
  GROUP BY analysis_date, team_abbr
  HAVING COUNT(*) >= 15
),

league AS (
  SELECT
    d.game_date AS analysis_date,
    SAFE_DIVIDE(SUM(IF(g.has_zones, g.opp_paint_makes, NULL)), SUM(IF(g.opp_paint_makes IS NULL, NULL, g.opp_paint_attempts))) AS paint_pct,
    SAFE_DIVIDE(SUM(IF(g.has_zones, g.opp_mid_range_makes, NULL)), SUM(IF(g.opp_mid_range_makes IS NULL, NULL, g.opp_mid_range_attempts))) AS mid_range_pct,
    SAFE_DIVIDE(SUM(g.opp_three_pt_makes), SUM(g.opp_three_pt_attempts)) AS three_pt_pct
  FROM target_dates AS d
  JOIN defense AS g ON g.game_date >= DATE_SUB(d.game_date, INTERVAL 30 DAY) AND g.game_date < d.game_date
  GROUP BY d.game_date
),

compared AS (
  SELECT
    s.*,
    100 * (s.paint_pct - l.paint_pct) AS paint_vs_league,
    100 * (s.mid_range_pct - l.mid_range_pct) AS mid_range_vs_league,
    100 * (s.three_pt_pct - l.three_pt_pct) AS three_pt_vs_league
  FROM samples AS s
  LEFT JOIN league AS l ON l.analysis_date = s.analysis_date
)

SELECT
  team_abbr,
  analysis_date,
  paint_pct AS paint_pct_allowed_last_15,
  mid_range_pct AS mid_range_pct_allowed_last_15,
  three_pt_pct AS three_pt_pct_allowed_last_15,
  paint_attempts AS paint_attempts_allowed_per_game,
  mid_range_attempts AS mid_range_attempts_allowed_per_game,
  three_pt_attempts AS three_pt_attempts_allowed_per_game,
  paint_vs_league AS paint_defense_vs_league_avg,
  mid_range_vs_league AS mid_range_defense_vs_league_avg,
  three_pt_vs_league AS three_pt_defense_vs_league_avg,
  defensive_rating AS defensive_rating_last_15,
  points_allowed AS opponent_points_per_game,
  opponent_pace,
  CASE
    WHEN paint_vs_league <= mid_range_vs_league AND paint_vs_league <= three_pt_vs_league THEN 'paint'
    WHEN mid_range_vs_league <= paint_vs_league AND mid_range_vs_league <= three_pt_vs_league THEN 'mid_range'
    WHEN three_pt_vs_league <= paint_vs_league AND three_pt_vs_league <= mid_range_vs_league THEN 'perimeter'
  END AS strongest_zone,
  CASE
    WHEN paint_vs_league >= mid_range_vs_league AND paint_vs_league >= three_pt_vs_league THEN 'paint'
    WHEN mid_range_vs_league >= paint_vs_league AND mid_range_vs_league >= three_pt_vs_league THEN 'mid_range'
    WHEN three_pt_vs_league >= paint_vs_league AND three_pt_vs_league >= mid_range_vs_league THEN 'perimeter'
  END AS weakest_zone,
  games_in_sample,
  zone_games_in_sample,
  @processed_at AS processed_at
FROM compared
