-- 25 features a player and game, in the order of feature_names. A feature without a value gets its default, and says so.
{% from 'shared/macros.sql' import steps -%}
{%- set features = [
  ('points_avg_last_5', '10.0', 'phase4'), ('points_avg_last_10', '10.0', 'phase4'), ('points_avg_season', '10.0', 'phase4'),
  ('points_std_last_10', '5.0', 'phase4'), ('games_in_last_7_days', '3.0', 'phase4'), ('fatigue_score', '50.0', 'phase4'),
  ('shot_zone_mismatch_score', '0.0', 'phase4'), ('pace_score', '0.0', 'phase4'), ('usage_spike_score', '0.0', 'phase4'),
  ('rest_advantage', '0.0', 'calculated'), ('injury_risk', '0.0', 'calculated'), ('recent_trend', '0.0', 'calculated'),
  ('minutes_change', '0.0', 'calculated'), ('opponent_def_rating', '112.0', 'phase4'), ('opponent_pace', '100.0', 'phase4'),
  ('home_away', '0.0', 'phase3'), ('back_to_back', '0.0', 'phase3'), ('playoff_game', '0.0', 'phase3'),
  ('pct_paint', '0.3', 'phase4'), ('pct_mid_range', '0.2', 'phase4'), ('pct_three', '0.35', 'phase4'),
  ('pct_free_throw', '0.15', 'calculated'), ('team_pace', '100.0', 'phase4'), ('team_off_rating', '112.0', 'phase4'),
  ('team_win_pct', '0.5', 'calculated'),
] -%}
{%- set fallbacks = ['points_avg_last_5', 'points_avg_last_10', 'points_avg_season'] -%}
WITH
{% include 'shared/games.sql' %},

-- Form from Phase 3, strictly before the date: for calculated features, and where the cache has no row.
player_history AS (
  SELECT
    p.game_id,
    p.game_date,
    p.player_lookup,
    p.team_abbr,
    p.opponent_team_abbr,
    p.home_game,
    COUNT(*) OVER season_to_date AS earlier_games,
    AVG(p.points) OVER last_5 AS points_avg_last_5,
    AVG(p.points) OVER last_10 AS points_avg_last_10,
    AVG(p.points) OVER season_to_date AS points_avg_season,
    AVG(p.points) OVER newest_3 AS points_avg_newest_3,
    AVG(p.points) OVER older_2 AS points_avg_older_2,
    AVG(p.minutes_played) OVER last_10 AS minutes_avg_last_10,
    AVG(p.minutes_played) OVER season_to_date AS minutes_avg_season,
    SUM(p.ft_makes) OVER last_10 AS ft_makes_last_10,
    SUM(IF(p.ft_makes IS NULL, NULL, p.points)) OVER last_10 AS points_last_10
  FROM nba_analytics.player_game_summary AS p
  JOIN team_games AS t ON t.game_id = p.game_id AND t.team_abbr = p.team_abbr
  WHERE p.game_date BETWEEN @history_from AND @last_date
  WINDOW
    newest_3 AS (PARTITION BY p.player_lookup, p.season_year ORDER BY p.game_date ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING),
    older_2 AS (PARTITION BY p.player_lookup, p.season_year ORDER BY p.game_date ROWS BETWEEN 5 PRECEDING AND 4 PRECEDING),
    last_5 AS (PARTITION BY p.player_lookup, p.season_year ORDER BY p.game_date ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING),
    last_10 AS (PARTITION BY p.player_lookup, p.season_year ORDER BY p.game_date ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING),
    season_to_date AS (
      PARTITION BY p.player_lookup, p.season_year
      ORDER BY p.game_date
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),

team_history AS (
  SELECT
    t.game_id,
    t.team_abbr,
    t.is_playoffs,
    COUNT(o.win_flag) OVER season_to_date AS earlier_games,
    COUNTIF(o.win_flag) OVER season_to_date AS wins
  FROM team_games AS t
  LEFT JOIN (SELECT * FROM nba_analytics.team_offense_game_summary WHERE game_date BETWEEN @history_from AND @last_date) AS o
    ON o.game_date = t.game_date AND o.game_id = t.game_id AND o.team_abbr = t.team_abbr
  WINDOW season_to_date AS (
    PARTITION BY t.team_abbr, t.season_year
    ORDER BY t.game_date
    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  )
),

joined AS (
  SELECT
    h.player_lookup,
    h.game_date,
    h.game_id,
    h.opponent_team_abbr,
    h.home_game,
    c.days_rest,
    m.points_avg_last_5 AS phase4_points_avg_last_5,
    m.points_avg_last_10 AS phase4_points_avg_last_10,
    m.points_avg_season AS phase4_points_avg_season,
    COALESCE(m.points_avg_last_5, IF(h.earlier_games >= 5, h.points_avg_last_5, NULL)) AS points_avg_last_5,
    COALESCE(m.points_avg_last_10, h.points_avg_last_10) AS points_avg_last_10,
    COALESCE(m.points_avg_season, h.points_avg_season) AS points_avg_season,
    m.points_std_last_10,
    m.games_in_last_7_days,
    f.fatigue_score,
    f.shot_zone_mismatch_score,
    f.pace_score,
    f.usage_spike_score,
    CASE
      WHEN c.days_rest - c.opponent_days_rest > 2 THEN 2
      WHEN c.days_rest - c.opponent_days_rest < -2 THEN -2
      ELSE c.days_rest - c.opponent_days_rest
    END AS rest_advantage,
    CASE c.player_status
      WHEN 'available' THEN 0
      WHEN 'probable' THEN 1
      WHEN 'questionable' THEN 2
      WHEN 'doubtful' THEN 3
      WHEN 'out' THEN 3
    END AS injury_risk,
    IF(h.earlier_games >= 5, h.points_avg_newest_3 - h.points_avg_older_2, NULL) AS trend,
    SAFE_DIVIDE(COALESCE(m.minutes_avg_last_10, h.minutes_avg_last_10) - h.minutes_avg_season, h.minutes_avg_season) AS minutes_shift,
    d.defensive_rating_last_15 AS opponent_def_rating,
    d.opponent_pace,
    IF(c.home_game, 1, 0) AS home_flag,
    IF(c.back_to_back, 1, 0) AS back_to_back_flag,
    c.player_lookup IS NOT NULL AS has_context,
    IF(t.is_playoffs, 1, 0) AS playoff_game,
    z.paint_rate_last_10 / 100 AS pct_paint,
    z.mid_range_rate_last_10 / 100 AS pct_mid_range,
    z.three_pt_rate_last_10 / 100 AS pct_three,
    IF(h.earlier_games >= 5, SAFE_DIVIDE(h.ft_makes_last_10, h.points_last_10), NULL) AS free_throw_share,
    m.team_pace_last_10 AS team_pace,
    m.team_off_rating_last_10 AS team_off_rating,
    IF(t.earlier_games >= 5, t.wins / t.earlier_games, NULL) AS team_win_pct
  FROM player_history AS h
  JOIN target_dates AS td ON td.game_date = h.game_date
  LEFT JOIN team_history AS t ON t.game_id = h.game_id AND t.team_abbr = h.team_abbr
  LEFT JOIN (SELECT * FROM nba_analytics.upcoming_player_game_context WHERE game_date BETWEEN @first_date AND @last_date) AS c
    ON c.game_date = h.game_date AND c.player_lookup = h.player_lookup
  LEFT JOIN (SELECT * FROM nba_precompute.player_daily_cache WHERE cache_date BETWEEN @first_date AND @last_date) AS m
    ON m.cache_date = h.game_date AND m.player_lookup = h.player_lookup
  LEFT JOIN (SELECT * FROM nba_precompute.player_composite_factors WHERE game_date BETWEEN @first_date AND @last_date) AS f
    ON f.game_date = h.game_date AND f.player_lookup = h.player_lookup
  LEFT JOIN (SELECT * FROM nba_precompute.player_shot_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS z
    ON z.analysis_date = h.game_date AND z.player_lookup = h.player_lookup
  LEFT JOIN (SELECT * FROM nba_precompute.team_defense_zone_analysis WHERE analysis_date BETWEEN @first_date AND @last_date) AS d
    ON d.analysis_date = h.game_date AND d.team_abbr = h.opponent_team_abbr
),

calculated AS (
  SELECT
    joined.*,
    {{ steps('trend', 2, 5) }} AS recent_trend,
    {{ steps('minutes_shift', 0.1, 0.2) }} AS minutes_change,
    IF(has_context, home_flag, NULL) AS home_away,
    IF(has_context, back_to_back_flag, NULL) AS back_to_back,
    CASE WHEN free_throw_share > 0.5 THEN 0.5 WHEN free_throw_share < 0 THEN 0.0 ELSE free_throw_share END AS pct_free_throw
  FROM joined
),

counted AS (
  SELECT
    calculated.*,
    ARRAY_CONCAT(
      {% for name, default, source in features -%}
      IF({{ name }} IS NULL, ['{{ name }}'], CAST([] AS ARRAY<STRING>)){{ '' if loop.last else ',' }}
      {% endfor %}
    ) AS default_features,
    -- Values that came from Phase 3: its own three features, and fallbacks for what the cache lacks.
    {% for name, default, source in features if source == 'phase3' -%}
    IF({{ name }} IS NULL, 0, 1) +
    {% endfor -%}
    {% for name in fallbacks -%}
    IF(phase4_{{ name }} IS NULL AND {{ name }} IS NOT NULL, 1, 0){{ '' if loop.last else ' +' }}
    {% endfor -%}
    AS phase3_values,
    {% for name, default, source in features if source == 'phase4' -%}
    IF({{ 'phase4_' + name if name in fallbacks else name }} IS NULL, 0, 1){{ '' if loop.last else ' +' }}
    {% endfor -%}
    AS phase4_values
  FROM calculated
)

SELECT
  player_lookup,
  game_date,
  game_id,
  [
    {% for name, default, source in features -%}
    COALESCE(CAST({{ name }} AS FLOAT64), {{ default }}){{ '' if loop.last else ',' }}
    {% endfor %}
  ] AS features,
  [
    {% for name, default, source in features -%}
    '{{ name }}'{{ '' if loop.last else ',' }}
    {% endfor %}
  ] AS feature_names,
  {{ features | length }} AS feature_count,
  'v1_baseline_25' AS feature_version,
  -- The mean of weights: 100 for a value of Phase 4 or a calculated one, 75 for one of Phase 3, 0 for a default.
  100 - (100 * ARRAY_LENGTH(default_features) + 25 * phase3_values) / {{ features | length }} AS feature_quality_score,
  default_features,
  opponent_team_abbr,
  home_game AS is_home,
  days_rest,
  CASE
    WHEN phase4_values = 16 THEN 'phase4'
    WHEN phase4_values >= 13 THEN 'phase4_partial'
    ELSE 'mixed'
  END AS data_source,
  @processed_at AS processed_at
FROM counted
