-- Season and recent form of each active player with at least five earlier games of the season, strictly before the date.
WITH
{% include 'shared/games.sql' %},

{% include 'shared/team_form.sql' %},

history AS (
  SELECT
    p.game_id,
    p.game_date,
    p.season_year,
    p.player_lookup,
    p.team_abbr,
    COUNT(*) OVER season_to_date AS games_played_season,
    AVG(p.points) OVER last_5 AS points_avg_last_5,
    AVG(p.points) OVER last_10 AS points_avg_last_10,
    AVG(p.points) OVER season_to_date AS points_avg_season,
    STDDEV_SAMP(p.points) OVER last_10 AS points_std_last_10,
    AVG(p.minutes_played) OVER last_10 AS minutes_avg_last_10,
    AVG(p.usage_rate) OVER last_10 AS usage_rate_last_10,
    AVG(p.ts_pct) OVER last_10 AS ts_pct_last_10,
    AVG(p.usage_rate) OVER season_to_date AS player_usage_rate_season
  FROM nba_analytics.player_game_summary AS p
  JOIN team_games AS t ON t.game_id = p.game_id AND t.team_abbr = p.team_abbr
  WHERE p.game_date BETWEEN @history_from AND @last_date
  WINDOW
    last_5 AS (PARTITION BY p.player_lookup, p.season_year ORDER BY p.game_date ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING),
    last_10 AS (PARTITION BY p.player_lookup, p.season_year ORDER BY p.game_date ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING),
    season_to_date AS (
      PARTITION BY p.player_lookup, p.season_year
      ORDER BY p.game_date
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)

SELECT
  h.player_lookup,
  h.game_date AS cache_date,
  h.season_year,
  h.team_abbr,
  h.points_avg_last_5,
  h.points_avg_last_10,
  h.points_avg_season,
  h.points_std_last_10,
  h.minutes_avg_last_10,
  h.usage_rate_last_10,
  h.ts_pct_last_10,
  h.games_played_season,
  h.player_usage_rate_season,
  f.pace_last_10 AS team_pace_last_10,
  f.off_rating_last_10 AS team_off_rating_last_10,
  c.games_in_last_7_days,
  c.games_in_last_14_days,
  c.minutes_in_last_7_days,
  c.minutes_in_last_14_days,
  c.avg_minutes_per_game_last_7,
  c.back_to_backs_last_14_days,
  z.primary_scoring_zone,
  z.paint_rate_last_10,
  z.three_pt_rate_last_10,
  z.assisted_rate_last_10,
  COALESCE(z.zone_games_in_sample_10 > 0, FALSE) AS shot_zone_data_available,
  h.games_played_season < 10 AS early_season_flag,
  @processed_at AS processed_at
FROM history AS h
JOIN target_dates AS d ON d.game_date = h.game_date
LEFT JOIN team_form AS f ON f.game_id = h.game_id AND f.team_abbr = h.team_abbr
LEFT JOIN (SELECT * FROM nba_analytics.upcoming_player_game_context WHERE game_date BETWEEN @first_date AND @last_date) AS c
  ON c.game_date = h.game_date AND c.player_lookup = h.player_lookup
LEFT JOIN (SELECT * FROM nba_precompute.player_shot_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS z
  ON z.analysis_date = h.game_date AND z.player_lookup = h.player_lookup
WHERE h.games_played_season >= 5
