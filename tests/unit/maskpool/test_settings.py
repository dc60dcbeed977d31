"""Settings come from the environment; a bad one is named, a secret never shown."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path

import pytest
from hostile.paths import ALL_IN_ONE, NAMES

from maskpool.errors import ConfigError, SpecError
from maskpool.health import MAX_AGE_SECONDS
from maskpool.model_aliases import BUILT_IN_MODELS
from maskpool.setting_lists import roots_text
from maskpool.settings import Settings, load_settings, require

NETWORKS = (ip_network("10.1.2.0/24"), ip_network("fd12::/64"))


def test_without_an_environment_there_are_defaults() -> None:
    settings = load_settings()
    assert (settings.model, settings.device, settings.worker_threads) == ("demo", "auto", 3)
    assert (settings.lease_seconds, settings.heartbeat_seconds) == (30.0, 1.0)
    assert settings.source_roots == settings.source_buckets == ()
    assert not settings.database_url.get_secret_value()


def test_every_setting_is_documented() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("WORKER_THREADS", "5", "worker_threads", 5),
        ("LEASE_SECONDS", "2.5", "lease_seconds", 2.5),
        ("HOME", "/somewhere", "home", Path("/somewhere")),
        ("LOG_FORMAT", "json", "log_format", "json"),
        ("SOURCE_BUCKETS", " a, b ,,", "source_buckets", ("a", "b")),
        ("SOURCE_BUCKETS", "", "source_buckets", ()),
        ("SOURCE_ROOTS", "", "source_roots", ()),
        ("SOURCE_HOSTS", " X.org, *.y.org ,*,", "source_hosts", ("x.org", "*.y.org", "*")),
        ("SOURCE_HOSTS", "10.0.0.1,2606:4700:0::1", "source_hosts", ("10.0.0.1", "2606:4700::1")),
        ("SOURCE_HOSTS", "", "source_hosts", ()),
        ("SOURCE_NETWORKS", "10.1.2.0/24, fd12::/64", "source_networks", NETWORKS),
        ("SOURCE_NETWORKS", "", "source_networks", ()),
        ("WEB_SECONDS", "5", "web_seconds", 5.0),
        ("OWNER", "ann", "owner_name", "ann"),
    ],
)
def test_variables_are_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, expected: object
) -> None:
    monkeypatch.setenv(f"MASKPOOL_{variable}", value)
    assert getattr(load_settings(), field) == expected


def test_roots_are_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASKPOOL_SOURCE_ROOTS", os.pathsep.join(["images", "/data/../other"]))
    assert load_settings().source_roots == (tmp_path / "images", Path("/other"))


@pytest.mark.parametrize("name", [*NAMES, ALL_IN_ONE])
def test_a_root_of_any_name_reaches_a_child(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    roots = (f"/data/{name}", f"/{name}/photos")
    monkeypatch.setenv("MASKPOOL_SOURCE_ROOTS", roots_text(roots))
    assert load_settings().source_roots == tuple(map(Path, roots))


def test_a_root_that_is_no_text_reaches_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    root = os.fsdecode(b"/data/caf\xe9")
    monkeypatch.setenv("MASKPOOL_SOURCE_ROOTS", roots_text([root]))
    assert load_settings().source_roots == (Path(root),)


@pytest.mark.parametrize("name", [n for n in NAMES if os.pathsep not in n and not n.isspace()])
def test_the_old_form_takes_any_name_without_its_separator(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("MASKPOOL_SOURCE_ROOTS", f"/data/{name}::/[b]:")
    assert load_settings().source_roots == (Path(f"/data/{name}"), Path("/[b]"))


@pytest.mark.parametrize(
    "value", ["[", "[]x", "[photos]", '["/a", 1]', '["/a", ""]', '["/a"', '["/a"]:/b', "[null]"]
)
def test_roots_that_begin_as_json_and_are_none_are_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("MASKPOOL_SOURCE_ROOTS", value)
    with pytest.raises(ConfigError, match=r"^MASKPOOL_SOURCE_ROOTS: .* no JSON list of folders"):
        load_settings()


def test_a_root_that_is_a_circle_of_links_does_not_end_the_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    monkeypatch.setenv("MASKPOOL_SOURCE_ROOTS", f"{tmp_path}/loop:/b")
    assert load_settings().source_roots[1] == Path("/b")


def test_what_is_passed_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKPOOL_MODEL", "sam3")
    assert load_settings(model="demo").model == "demo"


def test_who_submits_is_the_user_where_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ben")
    assert load_settings().owner_name == "ben"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEASE_SECONDS", "soon"),
        ("LEASE_SECONDS", "0"),
        ("WORKER_THREADS", "1"),
        ("MICRO_BATCH", "-1"),
        ("MAX_ASPECT", "1"),
        ("SOURCE_HOSTS", "https://x.org"),
        ("SOURCE_HOSTS", "x.org, *org"),
        ("SOURCE_HOSTS", "x.org:8080"),
        ("SOURCE_HOSTS", "a.*.org"),
        ("SOURCE_NETWORKS", "10.1.2.3/24"),
        ("SOURCE_NETWORKS", "inner"),
        ("WEB_SECONDS", "0"),
        ("WEB_SECONDS", "120"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("MODELS", '{"a,b": {"sam3": "a", "clip": "b"}}'),
        ("MODELS", '{"": {"sam3": "a", "clip": "b"}}'),
        ("MODELS", "{not json"),
        ("MODELS", '{"mine": {"sam3": "folder"}}'),
        ("MODELS", '{"mine": {"sam3": "a", "clip": "b", "lora": "c"}}'),
    ],
)
def test_a_bad_value_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"MASKPOOL_{variable}", value)
    with pytest.raises(ConfigError, match=rf"^MASKPOOL_{variable}\b(?!_)"):
        load_settings()


def test_a_transfer_ends_before_it_counts_as_a_stall() -> None:
    assert load_settings(stall_seconds=31).web_seconds == 30
    with pytest.raises(ConfigError, match="less than MASKPOOL_STALL_SECONDS, which is 20"):
        load_settings(stall_seconds=20)


def test_secrets_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKPOOL_DATABASE_URL", "postgresql://u:hunter2@host/x")
    monkeypatch.setenv("MASKPOOL_REDIS_URL", "redis://:hunter2@host:6379/0")
    settings = load_settings()
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    assert "hunter2" in settings.database_url.get_secret_value()


def test_a_refused_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError, match=r"^MASKPOOL_DATABASE_URL: ") as caught:
        load_settings(database_url=["hunter2"])
    assert "hunter2" not in str(caught.value)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().model = "other"


def test_a_setting_that_is_required_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKPOOL_DATABASE_URL", "sqlite:////tmp/rows")
    settings = load_settings()
    require(settings, "database_url", who="a dispatcher")
    with pytest.raises(ConfigError, match="MASKPOOL_REDIS_URL is not set; a dispatcher needs it"):
        require(settings, "database_url", "redis_url", "store_url", who="a dispatcher")
    with pytest.raises(ConfigError, match="MASKPOOL_STORE_URL is not set; a worker needs it"):
        require(settings, "store_url", who="a worker")


def test_aliases_are_built_in_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "MASKPOOL_MODELS", '{"mine": {"sam3": "a@1", "clip": "b", "max_overlap": 0.3}}'
    )
    settings = load_settings()
    assert settings.alias("demo") == BUILT_IN_MODELS["demo"]
    mine = settings.alias("mine")
    assert (mine.sam3, mine.clip, mine.max_overlap) == ("a@1", "b", 0.3)


def test_an_unknown_alias_names_those_there_are() -> None:
    with pytest.raises(SpecError, match=r"^model: 'sam4' is not known; there are demo, sam3$"):
        load_settings().alias("sam4")


@pytest.mark.parametrize(("lease", "patience"), [(5, 2.5), (30, 15), (600, MAX_AGE_SECONDS / 4)])
def test_a_wait_for_the_database_leaves_a_second_try_and_is_no_hang(
    lease: float, patience: float
) -> None:
    assert load_settings(lease_seconds=lease).patience_seconds == patience


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nobody)
    assert load_settings(owner="").owner_name == f"uid-{os.getuid()}"
