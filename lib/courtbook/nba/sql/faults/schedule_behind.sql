-- Take the final state from the games of the last days, and all that Phase 4 holds of these days with it.
UPDATE nba_raw.nbac_schedule
SET game_status = 1
WHERE game_date BETWEEN DATE_SUB(@last_date, INTERVAL 5 DAY) AND @last_date
;
DELETE FROM nba_predictions.ml_feature_store_v2
WHERE game_date BETWEEN DATE_SUB(@last_date, INTERVAL 5 DAY) AND @last_date
