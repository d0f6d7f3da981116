-- Take seven days out of the feature store.
DELETE FROM nba_predictions.ml_feature_store_v2
WHERE game_date BETWEEN DATE_SUB(@day, INTERVAL 6 DAY) AND @day
