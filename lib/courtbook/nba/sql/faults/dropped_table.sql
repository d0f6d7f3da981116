-- Drop a table of Phase 4 that others read.
DROP TABLE nba_precompute.team_defense_zone_analysis
