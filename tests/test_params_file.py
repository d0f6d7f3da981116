"""Reading params files: each mistake ends in one clear line."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from courtbook.errors import ExitCode, ParameterError, Reason
from courtbook.params_file import find_params, load_params, project_root
from courtbook.params_warehouse import WarehouseParams

GOOD = """\
name: try
warehouse:
  path: warehouse/try.duckdb
range:
  start: 2024-10-22
  end: 2024-12-31
"""
LEAGUE = GOOD + "source:\n  kind: league\n"
FOLDER = GOOD + "source:\n  kind: folder\n  path: data\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project's folder."""
    for name in ("notebooks", "params"):
        (tmp_path / name).mkdir()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    file = folder / "params" / "try.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def mistake(project: Path, text: str, settings: tuple[str, ...] = (), **overrides: Any) -> str:
    with pytest.raises(ParameterError) as caught:
        load_params(write(project, text), settings, overrides)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.next_action
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_minimal_file_is_accepted(project: Path) -> None:
    read = load_params(write(project, GOOD))
    assert read.range.start == date(2024, 10, 22)
    assert read.range.end == date(2024, 12, 31)


@pytest.mark.parametrize(
    ("text", "where", "suggestion"),
    [
        (GOOD + "operater: Ann\n", "operater", "'operator'"),
        (GOOD + "treshold: {}\n", "treshold", "'thresholds'"),
        (GOOD.replace("  path:", "  pth:"), "warehouse.pth", "'path'"),
        (GOOD.replace("  end:", "  edn: 2024-12-31\n  end:"), "range.edn", "'end'"),
        (GOOD + "backfill:\n  sample_date: 3\n", "backfill.sample_date", "'sample_dates'"),
        (LEAGUE + "  sed: 3\n", "source.sed", "'seed'"),
        (FOLDER + "  pat: x\n", "source.pat", "'path'"),
        (GOOD + "thresholds:\n  usage_rate:\n    minimun: 1\n", "thresholds.usage_rate.minimun", "'minimum'"),
        (GOOD + "thresholds:\n  rows.x:\n    max: 1\n", "thresholds.rows.x.max", "'maximum'"),
        (GOOD + "backfill:\n  mod: all\n", "backfill.mod", "'mode'"),
        (GOOD.replace("  path:", "  timeot: 60\n  path:"), "warehouse.timeot", "'timeout'"),
        (GOOD + "waiver: {}\n", "waiver", "'waivers'"),
        (GOOD + "overide: {}\n", "overide", "'override'"),
        (GOOD + "baselin: runs/x\n", "baselin", "'baseline'"),
        (GOOD + "waivers:\n  rows.x:\n    untl: 2026-05-31\n", "waivers.rows.x.untl", "'until'"),
        (
            GOOD + "accept:\n  upcoming:\n    fallback_confirm: true\n",
            "accept.upcoming.fallback_confirm",
            "'fallback_confirmed'",
        ),
        (GOOD + "override:\n  gat: phase3\n", "override.gat", "'gate'"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_was_meant(
    project: Path, text: str, where: str, suggestion: str
) -> None:
    said = mistake(project, text)
    assert f"{where}: unknown parameter; did you mean {suggestion}?" in said


@pytest.mark.parametrize(
    ("text", "known"),
    [
        (GOOD + "zzz: 1\n", "known here: name, warehouse, source, range"),
        (GOOD.replace("  path:", "  zzz: 1\n  path:"), "known here: engine, path, memory, timeout"),
        (LEAGUE + "  zzz: 1\n", "known here: kind, seed, seasons"),
        (GOOD + "thresholds:\n  usage_rate:\n    zzz: 1\n", "known here: minimum, maximum"),
        (GOOD + "waivers:\n  usage_rate:\n    zzz: 1\n", "known here: by, reason, until"),
        (GOOD + "override:\n  zzz: 1\n", "known here: gate, by, reason"),
    ],
)
def test_an_unknown_key_like_no_other_lists_the_known_ones(project: Path, text: str, known: str) -> None:
    assert known in mistake(project, text)


@pytest.mark.parametrize("written", ["0022400061", "0022400089", "22400061", "0x1F", "1_000"])
def test_an_unquoted_id_is_shown_as_it_was_written(project: Path, written: str) -> None:
    text = GOOD + f"spot_check_games: [{written}]\n"
    if written == "0022400089":  # no octal number, so YAML reads it as text
        assert load_params(write(project, text)).spot_check_games == (written,)
        return
    said = mistake(project, text)
    assert f"spot_check_games.0: {written} was read as the number {int(written, 0) if 'x' in written else ''}" in said
    assert f'quote it, "{written}"' in said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("2024-12-31", "2024-10-21"), "range: start 2024-10-22 lies after end 2024-10-21"),
        (GOOD.replace("2024-12-31", "'31.12.2024'"), "range.end: '31.12.2024' is not a date; write it as YYYY-MM-DD"),
        (GOOD.replace("2024-12-31", "soon"), "range.end: 'soon' is not a date"),
        (GOOD.replace("2024-12-31", "20241231"), "range.end: "),
        (GOOD.replace("2024-12-31", "2024-12-31 10:00:00"), "range.end: "),
        (GOOD.replace("  end: 2024-12-31\n", ""), "range.end: is missing"),
        (GOOD.replace("name: try\n", ""), "name: is missing"),
        (GOOD.replace("  path: warehouse/try.duckdb", "  engine: duckdb"), "warehouse.path: is missing"),
        (GOOD.replace("  path:", "  engine: bigqery\n  path:"), "warehouse: engine is duckdb or bigquery"),
        (GOOD + "dry_run: 'no'\n", "dry_run: "),
        (GOOD + "bootstrap_days: 14.0\n", "bootstrap_days: "),
        (GOOD + "bootstrap_days: '14'\n", "bootstrap_days: "),
        (GOOD + "backfill:\n  dates_per_batch: 0\n", "backfill.dates_per_batch: "),
        (GOOD + "backfill: 5\n", "backfill: "),
        (GOOD + "backfill:\n  mode: everything\n", "backfill.mode: "),
        (GOOD + "waivers:\n  rows.x:\n    by: Ann\n    reason: known\n", "waivers.rows.x.until: is missing"),
        (
            GOOD + "waivers:\n  rows.x:\n    by: Ann\n    reason: known\n    until: soon\n",
            "waivers.rows.x.until: 'soon' is not a date; write it as YYYY-MM-DD",
        ),
        (GOOD + "waivers:\n  rows.x:\n    by: ''\n    reason: known\n    until: 2026-05-31\n", "waivers.rows.x.by: "),
        (
            GOOD + "accept:\n  upcoming:\n    by: Ann\n    reason: known\n    fallback_confirmed: false\n",
            "accept.upcoming.fallback_confirmed: a fallback that is not confirmed cannot stand in for a table",
        ),
        (
            GOOD + "accept:\n  upcoming:\n    by: Ann\n    reason: known\n",
            "accept.upcoming.fallback_confirmed: is missing",
        ),
        (
            GOOD + "accept:\n  upcoming: {by: A, reason: B, fallback_confirmed: true, minimum: 0.4}\n",
            "accept.upcoming.minimum: ",
        ),
        (GOOD + "override:\n  gate: preflight\n  by: Ann\n  reason: now\n", "override.gate: "),
        (GOOD + "override:\n  gate: phase3\n  reason: now\n", "override.by: is missing"),
        (GOOD + "range: 2024\n", "the key 'range' stands twice"),
        (GOOD + "first_step: sign_off\nlast_step: preflight\n", "first_step sign_off comes after last_step preflight"),
        (GOOD + "first_step: phase5\n", "first_step: "),
        (GOOD + "source:\n  kind: web\n", "source: "),
        (GOOD + "source:\n  seed: 1\n", "source: "),
        (GOOD + "name: again\n", "line 7: the key 'name' stands twice"),
        (GOOD.replace("  end:", "  start: 2024-10-23\n  end:"), "the key 'start' stands twice"),
        (GOOD.replace("2024-12-31", "2024-13-31"), "not valid YAML"),
        (GOOD + "operator: 'open\n", "not valid YAML"),
        (GOOD + "\toperator: tab\n", "not valid YAML in line 7"),
        (GOOD + "operator: *nobody\n", "not valid YAML in line 7"),
        (GOOD + "operator: !!python/name:os.system x\n", "not valid YAML"),
        (GOOD + "operator: a\x00b\n", "not valid YAML"),
        (GOOD + "? [a, b]\n: 1\n", "not valid YAML"),
        (GOOD + "---\nname: second\n", "not valid YAML"),
        (GOOD + "1: 2\n", "1: "),
        ("", "mapping"),
        ("- a\n- b\n", "mapping"),
        ("just text\n", "mapping"),
        ("42\n", "mapping"),
    ],
)
def test_a_mistake_is_named_in_one_line(project: Path, text: str, expected: str) -> None:
    assert expected in mistake(project, text)


def test_all_mistakes_are_reported_at_once(project: Path) -> None:
    said = mistake(
        project,
        "warehouse:\n  pth: x\nrange:\n  start: 2024-10-22\n  end: soon\n"
        "operater: Ann\nspot_check_games: [0022400061]\n",
    )
    for part in (
        "6 mistakes",
        "name: is missing",
        "warehouse.path: is missing",
        "warehouse.pth: unknown",
        "range.end: 'soon'",
        "operater: unknown",
        '"0022400061"',
    ):
        assert part in said


@pytest.mark.parametrize("content", [b"name: \xff\xfe\n", "name: tr\u00fcb\n".encode("latin-1"), b"\x80"])
def test_bytes_that_are_not_text_are_a_mistake_of_the_file(project: Path, content: bytes) -> None:
    file = project / "params" / "bytes.yaml"
    file.write_bytes(content)
    with pytest.raises(ParameterError, match=r"bytes\.yaml: The params file cannot be read"):
        load_params(file)


def test_a_folder_is_no_params_file(project: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be read"):
        load_params(project / "params")


@pytest.mark.parametrize("name", ["params/absent.yaml", "absent.yaml", "", "params"])
def test_a_file_that_does_not_exist_is_named(project: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(project)
    with pytest.raises(ParameterError) as caught:
        find_params(name)
    assert caught.value.where == name
    assert "no such params file" in caught.value.what


@pytest.mark.parametrize("folder", ["", "notebooks", "params"])
@pytest.mark.parametrize("name", ["params/try.yaml", "absolute"])
def test_the_file_and_its_paths_are_found_from_folders_of_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch, folder: str, name: str
) -> None:
    file = write(project, FOLDER)
    monkeypatch.chdir(project / folder)
    found = find_params(str(file) if name == "absolute" else name)
    assert found == file.resolve()
    read = load_params(found)
    assert read.warehouse.path == str(project / "warehouse" / "try.duckdb")
    assert read.source is not None
    assert read.source.path == str(project / "data")  # type: ignore[union-attr]


def test_a_params_file_outside_belongs_to_the_project_around_the_working_folder(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("elsewhere") / "try.yaml"
    outside.write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(project / "notebooks")
    assert load_params(outside).warehouse.path == str(project / "warehouse" / "try.duckdb")
    assert project_root(outside.parent) == project


def test_without_a_project_paths_start_at_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "try.yaml").write_text(GOOD, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_params(find_params("try.yaml")).warehouse.path == str(tmp_path / "warehouse" / "try.duckdb")


def test_absolute_paths_stay_as_they_are(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "w.duckdb"
    read = load_params(write(project, GOOD.replace("warehouse/try.duckdb", str(elsewhere))))
    assert read.warehouse.path == str(elsewhere)


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("range.end=2024-11-30", lambda params: params.range.end == date(2024, 11, 30)),
        ("range.end='2024-11-30'", lambda params: params.range.end == date(2024, 11, 30)),
        ("dry_run=false", lambda params: params.dry_run is False),
        ("operator=Ann Other", lambda params: params.operator == "Ann Other"),
        ('operator="a=b"', lambda params: params.operator == "a=b"),
        ("backfill.sample_dates=3", lambda params: params.backfill.sample_dates == 3),
        ("thresholds.usage_rate.minimum=0.5", lambda params: params.thresholds["usage_rate"].minimum == 0.5),
        ('spot_check_games=["0022400061"]', lambda params: params.spot_check_games == ("0022400061",)),
        ("backfill.mode=stale", lambda params: params.backfill.mode == "stale"),
        ("warehouse.timeout=60", lambda params: params.warehouse.timeout == 60),
        ("override={gate: ml, by: Ann, reason: now}", lambda params: params.override.gate == "ml"),
        ("source.kind=league", lambda params: params.source.kind == "league"),
        (" name =other", lambda params: params.name == "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_settings_replace_values_of_the_file(project: Path, setting: str, read: Any) -> None:
    assert read(load_params(write(project, GOOD), [setting]))


@pytest.mark.parametrize("check", ["coverage.player_game_summary", "rows.ml_feature_store_v2"])
def test_a_setting_reaches_the_threshold_of_a_check_with_a_dot_in_its_id(project: Path, check: str) -> None:
    file = write(project, GOOD)
    by_setting = load_params(file, [f"thresholds.{check}.minimum=0.5"])
    assert by_setting.thresholds[check].minimum == 0.5
    by_override = load_params(file, overrides={f"thresholds.{check}.minimum": 0.5})
    assert by_override == by_setting


@pytest.mark.parametrize("check", ["shot_zones", "coverage.player_game_summary", "until.reason.by"])
def test_settings_make_up_a_waiver_of_a_check_with_dots_in_its_id(project: Path, check: str) -> None:
    given = {"by": "Ann", "reason": "known since May", "until": "2026-05-31"}
    file = write(project, GOOD)
    read = load_params(file, [f"waivers.{check}.{name}={value}" for name, value in given.items()])
    assert {name: waiver.model_dump(mode="json") for name, waiver in read.waivers.items()} == {check: given}
    assert read == load_params(file, overrides={f"waivers.{check}.{name}": value for name, value in given.items()})
    assert read == load_params(write(project, read.to_yaml()))


def test_settings_make_up_an_acceptance_and_an_override(project: Path) -> None:
    read = load_params(
        write(project, GOOD),
        [
            "accept.upcoming_team_game_context.fallback_confirmed=true",
            "accept.upcoming_team_game_context.by=Ann",
            "accept.upcoming_team_game_context.reason=the jobs fill in",
            "override.gate=phase3",
            "override.by=Ann",
            "override.reason=the season starts tomorrow",
        ],
    )
    assert read.accept["upcoming_team_game_context"].minimum == 0.5
    assert read.override is not None
    assert read.override.by == "Ann"


def test_a_half_told_waiver_is_refused(project: Path) -> None:
    said = mistake(project, GOOD, ("waivers.coverage.player_daily_cache.reason=known",))
    assert "waivers.coverage.player_daily_cache.by: is missing" in said
    assert "waivers.coverage.player_daily_cache.until: is missing" in said


@pytest.mark.parametrize("folder", ["", "notebooks"])
def test_the_run_to_compare_with_is_found_from_folders_of_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    file = write(project, GOOD + "baseline: runs/20260105T090000Z-try\n")
    monkeypatch.chdir(project / folder)
    assert load_params(file).baseline == str(project / "runs" / "20260105T090000Z-try")
    assert load_params(write(project, GOOD)).baseline == ""


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("dry_run", "--set dry_run: A setting is written as key=value."),
        ("=false", "A setting is written as key=value."),
        ("name.first=x", "'name' has no parameters below it."),
        ("operater=Ann", "operater: unknown parameter; did you mean 'operator'?"),
        ("backfill.sample_date=3", "backfill.sample_date: unknown parameter; did you mean 'sample_dates'?"),
        ("range.end=2024-10-21", "start 2024-10-22 lies after end 2024-10-21"),
        ("range.end=", "range.end: "),
        ("operator=[open", "--set operator=[open: This is not valid YAML"),
        ("spot_check_games=[0022400061]", '"0022400061"'),
    ],
)
def test_a_bad_setting_is_named(project: Path, setting: str, expected: str) -> None:
    assert expected in mistake(project, GOOD, (setting,))


@pytest.mark.parametrize("operator", ["Zo\u00eb", "\U0001f3c0", "a: b # c", "null", "0022400061", "", 'it\'s "quoted"'])
def test_an_override_arrives_as_it_was_given(project: Path, operator: str) -> None:
    assert load_params(write(project, GOOD), overrides={"operator": operator}).operator == operator


def test_overrides_take_python_values_and_win_over_settings(project: Path) -> None:
    read = load_params(
        write(project, GOOD),
        ["dry_run=true", "range.end=2024-11-01"],
        {"dry_run": False, "range.end": date(2024, 11, 30), "spot_check_games": ["0022400061"]},
    )
    assert read.dry_run is False
    assert read.range.end == date(2024, 11, 30)
    assert read.spot_check_games == ("0022400061",)


def test_overrides_are_checked_like_the_file(project: Path) -> None:
    assert "did you mean 'dry_run'?" in mistake(project, GOOD, dry_runn=False)


def test_numbers_from_a_file_can_be_written_again(project: Path) -> None:
    read = load_params(write(project, LEAGUE + "  seed: 0017\n  seasons: [2023]\nbootstrap_days: 10\n"))
    assert "seed: 15" in read.to_yaml()  # an octal number, as YAML 1.1 reads it
    assert read.digest() == load_params(write(project, read.to_yaml())).digest()


def test_every_params_file_of_the_project_is_valid() -> None:
    root = project_root(Path(__file__).parent)
    files = sorted((root / "params").glob("*.yaml"))
    assert files
    for file in files:
        read = load_params(file)
        assert read.name == file.stem
        if isinstance(read.warehouse, WarehouseParams):
            assert Path(read.warehouse.path).is_relative_to(root)


def test_the_reason_is_a_bad_parameter(project: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        load_params(write(project, "{}"))
    assert caught.value.reason is Reason.BAD_PARAMETER


@pytest.mark.parametrize("url", ["http://me:hunter2@127.0.0.1", "http://127.0.0.1/?key=hunter2", "http://h/#hunter2"])
def test_an_address_that_holds_a_secret_is_refused_and_not_quoted(project: Path, url: str) -> None:
    text = GOOD + f"executors:\n  player_daily_cache: {{kind: http, url: '{url}'}}\n"
    said = mistake(project, text)
    assert "executors.player_daily_cache.url: write it as https://host/path" in said
    assert "hunter2" not in said


def test_what_executors_are_told_is_checked_and_found(project: Path) -> None:
    job = "executors:\n  player_daily_cache: {kind: command, argv: [python], folder: jobs}\n"
    assert load_params(write(project, GOOD + job)).executors["player_daily_cache"].folder == str(project / "jobs")
    token = "executors:\n  player_daily_cache: {kind: http, url: 'http://h', token: {secret: 'file:secret/token'}}\n"
    read = load_params(write(project, GOOD + token)).executors["player_daily_cache"]
    assert read.token is not None
    assert read.token.secret == f"file:{project / 'secret' / 'token'}"
    assert "did you mean 'silent'" in mistake(project, GOOD + job.replace("folder: jobs", "silnt: 3"))
    both = token.replace("'file:secret/token'", "env:A, metadata: b")
    assert "give exactly one of command, secret and metadata" in mistake(project, GOOD + both)
    assert "kind" in mistake(project, GOOD + job.replace("kind: command, ", ""))
