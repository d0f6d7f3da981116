-- The games that count: final games of regular season, play-in, playoffs and the Cup final. All-Star and preseason do not.
counted_games AS (
  SELECT
    CONCAT(FORMAT_DATE('%Y%m%d', game_date), '_', away_team_tricode, '_', home_team_tricode) AS game_id,
    game_date,
    season_year,
    home_team_tricode AS home_team_abbr,
    away_team_tricode AS away_team_abbr,
    home_team_score,
    away_team_score,
    is_play_in,
    is_playoffs
  FROM nba_raw.nbac_schedule
  WHERE game_date BETWEEN @history_from AND @last_date
    AND game_status = 3
    AND (is_regular_season OR is_play_in OR is_playoffs OR is_cup_final)
),

-- Two rows a game, one from the view of each team.
team_games AS (
  SELECT
    game_id,
    game_date,
    season_year,
    home_team_abbr AS team_abbr,
    away_team_abbr AS opponent_team_abbr,
    TRUE AS home_game,
    home_team_score - away_team_score AS margin,
    is_play_in,
    is_playoffs
  FROM counted_games
  UNION ALL
  SELECT
    game_id,
    game_date,
    season_year,
    away_team_abbr AS team_abbr,
    home_team_abbr AS opponent_team_abbr,
    FALSE AS home_game,
    away_team_score - home_team_score AS margin,
    is_play_in,
    is_playoffs
  FROM counted_games
),

season_starts AS (
  SELECT
    season_year,
    MIN(game_date) AS season_start
  FROM nba_raw.nbac_schedule
  WHERE game_date BETWEEN @history_from AND @last_date
    AND is_regular_season
  GROUP BY season_year
),

-- The dates that were asked for, as far as games were played on them and they lie at least @skip_days into their season.
target_dates AS (
  SELECT DISTINCT
    g.game_date,
    g.season_year
  FROM counted_games AS g
  JOIN season_starts AS s ON s.season_year = g.season_year
  JOIN (SELECT DISTINCT day FROM UNNEST(@dates) AS day) AS asked ON asked.day = g.game_date
  WHERE DATE_DIFF(g.game_date, s.season_start, DAY) >= @skip_days
)
