-- Take one date out of the zone analysis of the defenses.
DELETE FROM nba_precompute.team_defense_zone_analysis
WHERE analysis_date = @day
