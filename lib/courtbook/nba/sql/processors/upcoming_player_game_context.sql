-- What was known about an active player before tip-off. Every window lies in the season and strictly before the date.
{% from 'shared/macros.sql' import quality_tier -%}
WITH
{% include 'shared/games.sql' %},

{% include 'shared/box_scores.sql' %},

{% include 'shared/prop_lines.sql' %},

{% include 'shared/game_lines.sql' %},

{% include 'shared/injuries.sql' %},

{% include 'shared/team_form.sql' %},

player_days AS (
  SELECT
    b.game_id,
    b.game_date,
    b.season_year,
    b.player_lookup,
    b.team_abbr,
    b.opponent_team_abbr,
    b.home_game,
    p.points,
    p.minutes_played,
    p.usage_rate,
    LAG(b.game_date) OVER (PARTITION BY b.player_lookup, b.season_year ORDER BY b.game_date) AS last_game_date
  FROM box_scores AS b
  LEFT JOIN (SELECT * FROM nba_analytics.player_game_summary WHERE game_date BETWEEN @history_from AND @last_date) AS p
    ON p.game_date = b.game_date AND p.game_id = b.game_id AND p.player_lookup = b.player_lookup
),

history AS (
  SELECT
    player_days.*,
    DATE_DIFF(game_date, last_game_date, DAY) AS days_rest,
    COUNT(*) OVER last_7_days AS games_in_last_7_days,
    COUNT(*) OVER last_14_days AS games_in_last_14_days,
    COALESCE(SUM(minutes_played) OVER last_7_days, 0.0) AS minutes_in_last_7_days,
    COALESCE(SUM(minutes_played) OVER last_14_days, 0.0) AS minutes_in_last_14_days,
    -- Not COUNTIF: over an empty window the embedded warehouse would make it NULL.
    COUNT(IF(DATE_DIFF(game_date, last_game_date, DAY) = 1, 1, NULL)) OVER (
      PARTITION BY player_lookup, season_year
      ORDER BY UNIX_DATE(game_date)
      RANGE BETWEEN 13 PRECEDING AND 1 PRECEDING
    ) AS back_to_backs_last_14_days,
    COUNT(*) OVER (
      PARTITION BY player_lookup, season_year
      ORDER BY UNIX_DATE(game_date)
      RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING
    ) AS games_in_last_30_days,
    AVG(points) OVER last_5 AS points_avg_last_5,
    AVG(points) OVER last_10 AS points_avg_last_10,
    AVG(usage_rate) OVER last_7 AS avg_usage_rate_last_7_games,
    AVG(usage_rate) OVER last_10 AS projected_usage_rate
  FROM player_days
  WINDOW
    last_7_days AS (
      PARTITION BY player_lookup, season_year
      ORDER BY UNIX_DATE(game_date)
      RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING
    ),
    last_14_days AS (
      PARTITION BY player_lookup, season_year
      ORDER BY UNIX_DATE(game_date)
      RANGE BETWEEN 14 PRECEDING AND 1 PRECEDING
    ),
    last_5 AS (PARTITION BY player_lookup, season_year ORDER BY game_date ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING),
    last_7 AS (PARTITION BY player_lookup, season_year ORDER BY game_date ROWS BETWEEN 7 PRECEDING AND 1 PRECEDING),
    last_10 AS (PARTITION BY player_lookup, season_year ORDER BY game_date ROWS BETWEEN 10 PRECEDING AND 1 PRECEDING)
),

-- The three players of a team with the most minutes for it so far in the season.
rosters AS (
  SELECT DISTINCT season_year, team_abbr, player_lookup
  FROM player_days
),

season_minutes AS (
  SELECT
    t.game_date,
    r.team_abbr,
    r.player_lookup,
    SUM(p.minutes_played) OVER (
      PARTITION BY r.season_year, r.team_abbr, r.player_lookup
      ORDER BY t.game_date
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS minutes_so_far
  FROM rosters AS r
  JOIN team_games AS t ON t.season_year = r.season_year AND t.team_abbr = r.team_abbr
  LEFT JOIN player_days AS p
    ON p.game_id = t.game_id AND p.team_abbr = r.team_abbr AND p.player_lookup = r.player_lookup
),

stars AS (
  SELECT
    game_date,
    team_abbr,
    player_lookup
  FROM season_minutes
  WHERE minutes_so_far > 0
  QUALIFY ROW_NUMBER() OVER (PARTITION BY game_date, team_abbr ORDER BY minutes_so_far DESC, player_lookup) <= 3
),

-- Out for this team: who was traded away is no teammate any more, and nobody is his own.
stars_missing AS (
  SELECT
    s.game_date,
    s.team_abbr,
    s.player_lookup
  FROM stars AS s
  JOIN injuries AS i
    ON i.game_date = s.game_date AND i.player_lookup = s.player_lookup AND i.team_abbr = s.team_abbr
    AND i.injury_status = 'out'
),

stars_out AS (
  SELECT
    game_date,
    team_abbr,
    COUNT(*) AS stars_out
  FROM stars_missing
  GROUP BY game_date, team_abbr
),

scored AS (
  SELECT
    h.*,
    form.pace_last_10,
    opponent.days_since_last_game AS opponent_days_rest,
    opponent.pace_last_10 AS opponent_pace_last_10,
    opponent.def_rating_last_10 AS opponent_def_rating_last_10,
    IF(r.game_date IS NULL, NULL, COALESCE(o.stars_out, 0) - IF(own.player_lookup IS NULL, 0, 1)) AS star_teammates_out,
    IF(r.game_date IS NULL, NULL, COALESCE(i.injury_status, 'available')) AS player_status,
    prop.closing_line,
    prop.opening_line,
    l.game_spread,
    l.game_total,
    IF(h.games_in_last_30_days >= 10, 95.0, IF(h.games_in_last_30_days >= 5, 75.0, 50.0))
      - IF(l.game_spread IS NULL OR l.game_total IS NULL, 10.0, 0.0) AS quality_score,
    ARRAY_CONCAT(
      IF(h.games_in_last_30_days >= 10, CAST([] AS ARRAY<STRING>), ['thin_sample']),
      IF(l.game_spread IS NULL OR l.game_total IS NULL, ['missing_lines'], CAST([] AS ARRAY<STRING>))
    ) AS quality_issues,
    t.is_play_in,
    t.is_playoffs
  FROM history AS h
  JOIN target_dates AS d ON d.game_date = h.game_date
  JOIN team_games AS t ON t.game_id = h.game_id AND t.team_abbr = h.team_abbr
  LEFT JOIN team_form AS form ON form.game_id = h.game_id AND form.team_abbr = h.team_abbr
  LEFT JOIN team_form AS opponent ON opponent.game_id = h.game_id AND opponent.team_abbr = h.opponent_team_abbr
  LEFT JOIN reported_dates AS r ON r.game_date = h.game_date
  LEFT JOIN stars_out AS o ON o.game_date = h.game_date AND o.team_abbr = h.team_abbr
  LEFT JOIN stars_missing AS own
    ON own.game_date = h.game_date AND own.team_abbr = h.team_abbr AND own.player_lookup = h.player_lookup
  LEFT JOIN injuries AS i ON i.game_date = h.game_date AND i.player_lookup = h.player_lookup
  LEFT JOIN prop_lines AS prop ON prop.game_date = h.game_date AND prop.player_lookup = h.player_lookup
  LEFT JOIN game_lines AS l ON l.game_id = h.game_id AND l.team_abbr = h.team_abbr
)

SELECT
  game_id,
  game_date,
  season_year,
  player_lookup,
  team_abbr,
  opponent_team_abbr,
  home_game,
  days_rest,
  COALESCE(days_rest = 1, FALSE) AS back_to_back,
  games_in_last_7_days,
  games_in_last_14_days,
  minutes_in_last_7_days,
  minutes_in_last_14_days,
  SAFE_DIVIDE(minutes_in_last_7_days, games_in_last_7_days) AS avg_minutes_per_game_last_7,
  back_to_backs_last_14_days,
  points_avg_last_5,
  points_avg_last_10,
  avg_usage_rate_last_7_games,
  projected_usage_rate,
  opponent_days_rest,
  opponent_pace_last_10,
  opponent_pace_last_10 - pace_last_10 AS pace_differential,
  opponent_def_rating_last_10,
  star_teammates_out,
  player_status,
  closing_line IS NOT NULL AS has_prop_line,
  closing_line AS current_points_line,
  opening_line AS opening_points_line,
  closing_line - opening_line AS line_movement,
  game_spread,
  game_total,
  CASE
    WHEN is_play_in THEN 'play_in'
    WHEN is_playoffs THEN 'playoffs'
    WHEN EXTRACT(MONTH FROM game_date) IN (10, 11) THEN 'early'
    WHEN EXTRACT(MONTH FROM game_date) IN (12, 1, 2) THEN 'mid'
    ELSE 'late'
  END AS season_phase,
  quality_score,
  {{ quality_tier('quality_score') }} AS quality_tier,
  quality_issues,
  quality_score >= 50 AS is_production_ready,
  @processed_at AS processed_at
FROM scored
