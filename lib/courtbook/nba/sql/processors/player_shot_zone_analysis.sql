-- Where a player shoots from: his last 10 and 20 games of the season that have zones. Games without play-by-play are
-- left out rather than counted as "only threes". Sums of the last n games are differences of running sums.
WITH
{% include 'shared/games.sql' %},

player_games AS (
  SELECT
    p.game_date,
    p.season_year,
    p.player_lookup,
    p.paint_attempts IS NOT NULL AND p.mid_range_attempts IS NOT NULL AS has_zones,
    -- Makes that are unknown are no misses: percentages divide by the attempts whose makes are known.
    COALESCE(p.paint_makes, 0) AS paint_makes,
    IF(p.paint_makes IS NULL, 0, COALESCE(p.paint_attempts, 0)) AS paint_attempts_known,
    COALESCE(p.paint_attempts, 0) AS paint_attempts,
    COALESCE(p.mid_range_makes, 0) AS mid_range_makes,
    IF(p.mid_range_makes IS NULL, 0, COALESCE(p.mid_range_attempts, 0)) AS mid_range_attempts_known,
    COALESCE(p.mid_range_attempts, 0) AS mid_range_attempts,
    IF(p.paint_attempts IS NOT NULL, p.three_pt_makes, 0) AS three_pt_makes,
    IF(p.paint_attempts IS NOT NULL, p.three_pt_attempts, 0) AS three_pt_attempts,
    IF(p.assisted_fg_makes IS NOT NULL, p.assisted_fg_makes, 0) AS assisted_fg_makes,
    IF(p.assisted_fg_makes IS NOT NULL, p.fg_makes, 0) AS fg_makes_with_assists
  FROM nba_analytics.player_game_summary AS p
  JOIN team_games AS t ON t.game_id = p.game_id AND t.team_abbr = p.team_abbr
  WHERE p.game_date BETWEEN @history_from AND @last_date
),

running AS (
  SELECT
    game_date,
    season_year,
    player_lookup,
    has_zones,
    COUNT(*) OVER before_game AS earlier_games,
    COUNTIF(has_zones) OVER before_game AS zone_games,
    COALESCE(SUM(paint_makes) OVER before_game, 0) AS paint_makes,
    COALESCE(SUM(paint_attempts_known) OVER before_game, 0) AS paint_attempts_known,
    COALESCE(SUM(paint_attempts) OVER before_game, 0) AS paint_attempts,
    COALESCE(SUM(mid_range_makes) OVER before_game, 0) AS mid_range_makes,
    COALESCE(SUM(mid_range_attempts_known) OVER before_game, 0) AS mid_range_attempts_known,
    COALESCE(SUM(mid_range_attempts) OVER before_game, 0) AS mid_range_attempts,
    COALESCE(SUM(three_pt_makes) OVER before_game, 0) AS three_pt_makes,
    COALESCE(SUM(three_pt_attempts) OVER before_game, 0) AS three_pt_attempts,
    COALESCE(SUM(assisted_fg_makes) OVER before_game, 0) AS assisted_fg_makes,
    COALESCE(SUM(fg_makes_with_assists) OVER before_game, 0) AS fg_makes_with_assists
  FROM player_games
  WINDOW before_game AS (
    PARTITION BY player_lookup, season_year
    ORDER BY game_date
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
),

-- The running sums as they stood before each zone game: what lies before the n-th last zone game is taken off.
marks AS (
  SELECT *
  FROM running
  WHERE has_zones
),

samples AS (
  SELECT
    r.player_lookup,
    r.game_date AS analysis_date,
    r.earlier_games,
    r.zone_games,
    r.paint_makes - COALESCE(ten.paint_makes, 0) AS paint_makes_10,
    r.paint_attempts_known - COALESCE(ten.paint_attempts_known, 0) AS paint_attempts_known_10,
    r.paint_attempts - COALESCE(ten.paint_attempts, 0) AS paint_attempts_10,
    r.mid_range_makes - COALESCE(ten.mid_range_makes, 0) AS mid_range_makes_10,
    r.mid_range_attempts_known - COALESCE(ten.mid_range_attempts_known, 0) AS mid_range_attempts_known_10,
    r.mid_range_attempts - COALESCE(ten.mid_range_attempts, 0) AS mid_range_attempts_10,
    r.three_pt_makes - COALESCE(ten.three_pt_makes, 0) AS three_pt_makes_10,
    r.three_pt_attempts - COALESCE(ten.three_pt_attempts, 0) AS three_pt_attempts_10,
    r.assisted_fg_makes - COALESCE(ten.assisted_fg_makes, 0) AS assisted_fg_makes_10,
    r.fg_makes_with_assists - COALESCE(ten.fg_makes_with_assists, 0) AS fg_makes_10,
    r.paint_makes - COALESCE(twenty.paint_makes, 0) AS paint_makes_20,
    r.paint_attempts_known - COALESCE(twenty.paint_attempts_known, 0) AS paint_attempts_known_20,
    r.paint_attempts - COALESCE(twenty.paint_attempts, 0) AS paint_attempts_20,
    r.mid_range_attempts - COALESCE(twenty.mid_range_attempts, 0) AS mid_range_attempts_20,
    r.three_pt_attempts - COALESCE(twenty.three_pt_attempts, 0) AS three_pt_attempts_20
  FROM running AS r
  JOIN target_dates AS d ON d.game_date = r.game_date
  LEFT JOIN marks AS ten
    ON ten.player_lookup = r.player_lookup AND ten.season_year = r.season_year AND ten.zone_games = r.zone_games - 10
  LEFT JOIN marks AS twenty
    ON twenty.player_lookup = r.player_lookup AND twenty.season_year = r.season_year AND twenty.zone_games = r.zone_games - 20
  WHERE r.earlier_games >= 10
),

rates AS (
  SELECT
    samples.*,
    IF(zone_games < 10, zone_games, 10) AS zone_games_10,
    IF(zone_games < 20, zone_games, 20) AS zone_games_20,
    100 * SAFE_DIVIDE(paint_attempts_10, paint_attempts_10 + mid_range_attempts_10 + three_pt_attempts_10) AS paint_rate,
    100 * SAFE_DIVIDE(mid_range_attempts_10, paint_attempts_10 + mid_range_attempts_10 + three_pt_attempts_10) AS mid_range_rate,
    100 * SAFE_DIVIDE(three_pt_attempts_10, paint_attempts_10 + mid_range_attempts_10 + three_pt_attempts_10) AS three_pt_rate,
    paint_attempts_20 + mid_range_attempts_20 + three_pt_attempts_20 AS attempts_20
  FROM samples
)

SELECT
  player_lookup,
  analysis_date,
  paint_rate AS paint_rate_last_10,
  mid_range_rate AS mid_range_rate_last_10,
  three_pt_rate AS three_pt_rate_last_10,
  SAFE_DIVIDE(paint_makes_10, paint_attempts_known_10) AS paint_pct_last_10,
  SAFE_DIVIDE(mid_range_makes_10, mid_range_attempts_known_10) AS mid_range_pct_last_10,
  SAFE_DIVIDE(three_pt_makes_10, three_pt_attempts_10) AS three_pt_pct_last_10,
  SAFE_DIVIDE(paint_attempts_10, zone_games_10) AS paint_attempts_per_game,
  SAFE_DIVIDE(mid_range_attempts_10, zone_games_10) AS mid_range_attempts_per_game,
  SAFE_DIVIDE(three_pt_attempts_10, zone_games_10) AS three_pt_attempts_per_game,
  100 * SAFE_DIVIDE(paint_attempts_20, attempts_20) AS paint_rate_last_20,
  100 * SAFE_DIVIDE(mid_range_attempts_20, attempts_20) AS mid_range_rate_last_20,
  100 * SAFE_DIVIDE(three_pt_attempts_20, attempts_20) AS three_pt_rate_last_20,
  SAFE_DIVIDE(paint_makes_20, paint_attempts_known_20) AS paint_pct_last_20,
  100 * SAFE_DIVIDE(assisted_fg_makes_10, fg_makes_10) AS assisted_rate_last_10,
  CASE
    WHEN paint_rate >= 40 THEN 'paint'
    WHEN three_pt_rate >= 40 THEN 'perimeter'
    WHEN mid_range_rate >= 35 THEN 'mid_range'
    WHEN paint_rate IS NOT NULL THEN 'balanced'
  END AS primary_scoring_zone,
  IF(earlier_games < 10, earlier_games, 10) AS games_in_sample_10,
  zone_games_10 AS zone_games_in_sample_10,
  CASE
    WHEN zone_games_10 >= 10 THEN 'excellent'
    WHEN zone_games_10 >= 7 THEN 'good'
    WHEN zone_games_10 >= 5 THEN 'limited'
    ELSE 'insufficient'
  END AS sample_quality_10,
  IF(earlier_games < 20, earlier_games, 20) AS games_in_sample_20,
  zone_games_20 AS zone_games_in_sample_20,
  @processed_at AS processed_at
FROM rates
