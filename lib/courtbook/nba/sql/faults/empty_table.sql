-- Take all rows out of the feature store; its columns stay.
DELETE FROM nba_predictions.ml_feature_store_v2
WHERE TRUE
