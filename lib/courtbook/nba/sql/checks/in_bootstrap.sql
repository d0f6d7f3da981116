-- Rows on dates inside the bootstrap, where none belong.
WITH
{% include 'shared/games.sql' %}

SELECT
  COUNTIF(DATE_DIFF(p.day, s.season_start, DAY) < @bootstrap_days) AS numerator,
  COUNT(*) AS denominator
FROM (
  SELECT {{ table.date_column }} AS day
  FROM {{ table.full_name }}
  WHERE {{ table.date_column }} BETWEEN @first_date AND @last_date
) AS p
JOIN (SELECT DISTINCT game_date, season_year FROM counted_games) AS g ON g.game_date = p.day
JOIN season_starts AS s ON s.season_year = g.season_year
