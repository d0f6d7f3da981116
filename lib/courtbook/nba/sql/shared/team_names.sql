-- The full names that bookmakers use.
team_names AS (
  SELECT 'ATL' AS team_abbr, 'Atlanta Hawks' AS team_name UNION ALL
  SELECT 'BKN' AS team_abbr, 'Brooklyn Nets' AS team_name UNION ALL
  SELECT 'BOS' AS team_abbr, 'Boston Celtics' AS team_name UNION ALL
  SELECT 'CHA' AS team_abbr, 'Charlotte Hornets' AS team_name UNION ALL
  SELECT 'CHI' AS team_abbr, 'Chicago Bulls' AS team_name UNION ALL
  SELECT 'CLE' AS team_abbr, 'Cleveland Cavaliers' AS team_name UNION ALL
  SELECT 'DAL' AS team_abbr, 'Dallas Mavericks' AS team_name UNION ALL
  SELECT 'DEN' AS team_abbr, 'Denver Nuggets' AS team_name UNION ALL
  SELECT 'DET' AS team_abbr, 'Detroit Pistons' AS team_name UNION ALL
  SELECT 'GSW' AS team_abbr, 'Golden State Warriors' AS team_name UNION ALL
  SELECT 'HOU' AS team_abbr, 'Houston Rockets' AS team_name UNION ALL
  SELECT 'IND' AS team_abbr, 'Indiana Pacers' AS team_name UNION ALL
  SELECT 'LAC' AS team_abbr, 'Los Angeles Clippers' AS team_name UNION ALL
  SELECT 'LAL' AS team_abbr, 'Los Angeles Lakers' AS team_name UNION ALL
  SELECT 'MEM' AS team_abbr, 'Memphis Grizzlies' AS team_name UNION ALL
  SELECT 'MIA' AS team_abbr, 'Miami Heat' AS team_name UNION ALL
  SELECT 'MIL' AS team_abbr, 'Milwaukee Bucks' AS team_name UNION ALL
  SELECT 'MIN' AS team_abbr, 'Minnesota Timberwolves' AS team_name UNION ALL
  SELECT 'NOP' AS team_abbr, 'New Orleans Pelicans' AS team_name UNION ALL
  SELECT 'NYK' AS team_abbr, 'New York Knicks' AS team_name UNION ALL
  SELECT 'OKC' AS team_abbr, 'Oklahoma City Thunder' AS team_name UNION ALL
  SELECT 'ORL' AS team_abbr, 'Orlando Magic' AS team_name UNION ALL
  SELECT 'PHI' AS team_abbr, 'Philadelphia 76ers' AS team_name UNION ALL
  SELECT 'PHX' AS team_abbr, 'Phoenix Suns' AS team_name UNION ALL
  SELECT 'POR' AS team_abbr, 'Portland Trail Blazers' AS team_name UNION ALL
  SELECT 'SAC' AS team_abbr, 'Sacramento Kings' AS team_name UNION ALL
  SELECT 'SAS' AS team_abbr, 'San Antonio Spurs' AS team_name UNION ALL
  SELECT 'TOR' AS team_abbr, 'Toronto Raptors' AS team_name UNION ALL
  SELECT 'UTA' AS team_abbr, 'Utah Jazz' AS team_name UNION ALL
  SELECT 'WAS' AS team_abbr, 'Washington Wizards' AS team_name
)
