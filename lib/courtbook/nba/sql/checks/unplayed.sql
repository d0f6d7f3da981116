-- Scheduled games of the range that are not final: the range reaches beyond what was played, or the schedule is behind.
SELECT
  COUNTIF(COALESCE(game_status, 0) != 3) AS numerator,
  COUNT(*) AS denominator,
  CONCAT('from ', CAST(MIN(IF(COALESCE(game_status, 0) != 3, game_date, NULL)) AS STRING)) AS detail
FROM nba_raw.nbac_schedule
WHERE game_date BETWEEN @range_start AND @range_end
  AND (is_regular_season OR is_play_in OR is_playoffs OR is_cup_final)
