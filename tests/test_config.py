import contextlib
import string
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.config import ApiConfig, Config, Format, KafkaConfig, Secret, SignalConfig, formats
from undertow.errors import ConfigError
from undertow.fieldmaps import FieldRule
from undertow.loading import load, load_dashboard
from undertow_collectors.decode.registry import FORMATS

MISTAKES = sorted((Path(__file__).parent / "config").glob("*.toml"))
EMPTY = Path(__file__).parent / "cli" / "defaults.toml"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOME = """
[[kafka.field_map]]
name = "home"
[kafka.field_map.fields]
model = "model"
provider = {value = "openai"}
duration_s = {path = "latency_ms", unit = "ms"}
"labels.user" = "user_id"
status = {path = "outcome", values = {OK = "ok", FAIL = "error"}, default = "ok"}
"""
Write = Callable[[str], Path]


@pytest.fixture(name="write")
def _write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "undertow.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("path", MISTAKES, ids=lambda path: path.stem)
def test_a_mistake_is_told_by_file_key_and_cause(path: Path) -> None:
    """Each bad file is refused with exit code 78 and exactly the sentence in its first line."""
    expected = path.read_text().splitlines()[0].removeprefix("# ")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value) == f"{path}: {expected}"
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("STORE__RAW_RETENTION_DAYS", "soon", "store.raw_retention_days: expected a whole number, got a text"),
        ("STORE__PATHS", "x", "store.paths: unknown key; did you mean `path`?"),
        ("STOER__PATH", "x", "stoer: unknown key; did you mean `store`?"),
        ("STORE__PATH__DEEPER", "x", "store.path: expected a text, got a table"),
        ("DETECT__SIGNALS", "[1", "detect.signals: is not JSON"),
        ("DETECT__SIGNALS", "[1]", "detect.signals: expected a table"),
        ("DETECT__SIGNALS__REFUSAL__TOLERANCE", "-1", "refusal.tolerance: expected a number of at least 0.0, got -1"),
        ("ALERTS__WEBHOOK__3__URL", "http://x", "alerts.webhook: expected an index from 0 to 0, got '3'"),
        ("ALERTS__WEBHOOK__0", "http://x", "alerts.webhook: names a whole table; name one of its keys"),
        ("KAFKA__TOPICS", '["a", 1]', "kafka.topics[1]: expected a text, got a whole number"),
        (
            "KAFKA__TOPICS",
            '["a", "http:api"]',
            "kafka.topics[1]: 'http:api' is no name of a topic: those have at most 249",
        ),
        ("KAFKA__TOPICS", '["..a", "."]', "kafka.topics[1]: '.' is no name of a topic"),
        ("KAFKA__TOPICS", '[".."]', "kafka.topics[0]: '..' is no name of a topic"),
    ],
)
def test_a_mistake_in_the_environment_is_told_by_its_variable(write: Write, name: str, text: str, says: str) -> None:
    """A bad variable is named together with its key, whichever file there is."""
    with pytest.raises(ConfigError) as caught:
        load(write(""), {f"UNDERTOW_{name}": text})
    assert says in str(caught.value)


@pytest.mark.parametrize("key", ["API__PORT", "STORE__KEEP_TEXT", "DETECT__LATENESS_S", "ALERTS__WEBHOOK"])
def test_a_text_in_the_wrong_place_is_not_repeated(write: Write, key: str) -> None:
    """What stands where a number or a table belongs may be a secret that slipped in."""
    with pytest.raises(ConfigError) as caught:
        load(write(""), {f"UNDERTOW_{key}": WHSEC})
    assert WHSEC not in str(caught.value)


def test_defaults_stand_without_file_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing to read, the configuration is the defaults and Kafka is off."""
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Config()
    assert load(None, {}).kafka is None


def test_undertow_toml_is_found_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    """Without a path ./undertow.toml is read if it exists."""
    write("[api]\nport = 9000\n")
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).api.port == 9000


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """A path that was asked for and is not there is a mistake, not a default."""
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file"):
        load(tmp_path / "absent.toml", {})


def test_a_file_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are refused by name."""
    (tmp_path / "undertow.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load(tmp_path / "undertow.toml", {})


def test_the_environment_wins_over_the_file(write: Write) -> None:
    """A variable replaces the file's value and leaves its neighbours."""
    config = load(write('[store]\npath = "a"\nkeep_text = true\n'), {"UNDERTOW_STORE__PATH": "b"})
    assert (config.store.path, config.store.keep_text) == ("b", True)


def test_every_kind_of_value_can_stand_in_the_environment(write: Write) -> None:
    """Lists come as commas or JSON, nested tables by their keys or JSON, lists of tables by index."""
    config = load(
        write(""),
        {
            "UNDERTOW_KAFKA__TOPICS": "a, b",
            "UNDERTOW_ALERTS__ALLOW_HOSTS": '["127.0.0.1"]',
            "UNDERTOW_ALERTS__WEBHOOK__0__URL": "http://127.0.0.1:9/hook",
            "UNDERTOW_ALERTS__WEBHOOK__0__SECRET": WHSEC,
            "UNDERTOW_DETECT__BASELINE__MIN_SPANS": "500",
            "UNDERTOW_DETECT__SIGNALS__REFUSAL__ENABLED": "false",
            "UNDERTOW_TELEMETRY__PROMETHEUS": "0",
        },
    )
    assert config.kafka == KafkaConfig(topics=["a", "b"])
    assert config.alerts.allow_hosts == ["127.0.0.1"]
    assert config.alerts.webhook[0].secret == Secret(WHSEC)
    assert config.detect.baseline.min_spans == 500
    assert config.detect.signals == {"refusal": SignalConfig(enabled=False)}
    assert config.telemetry.prometheus is False


def test_variables_of_kubernetes_are_not_settings(write: Write) -> None:
    """UNDERTOW_API_PORT, which Kubernetes makes for a service named undertow-api, is left alone."""
    assert load(write(""), {"UNDERTOW_API_PORT": "tcp://10.0.0.1:80", "UNDERTOW_PORT": "x"}) == Config()


def test_a_secret_comes_from_its_file(write: Write, tmp_path: Path) -> None:
    """A `*_file` key gives the file's text without the newline at its end."""
    (tmp_path / "token").write_text("long-token\n")
    config = load(write('[api]\nhost = "0.0.0.0"\n'), {"UNDERTOW_API__TOKEN_FILE": str(tmp_path / "token")})
    assert config.api.token is not None
    assert config.api.token.reveal() == "long-token"


def test_an_empty_secret_is_no_secret(write: Write) -> None:
    """`token = ""` means that none is set."""
    assert load(write('[api]\ntoken = ""\n'), {}).api.token is None


def test_no_secret_is_ever_printed(write: Write) -> None:
    """Printing the configuration, or a mistake in it, shows no secret."""
    token = "t0ken-that-must-not-show"
    config = load(write(f'[api]\ntoken = "{token}"\n'), {})
    shown = [repr(config), str(config), f"{config.api.token}", f"{config.api.token!r}"]
    with pytest.raises(ConfigError) as caught:
        load(write(f'[api]\ntoken = "{token}"\ntoken_file = "x"\n'), {"UNDERTOW_API__TOKEN": token})
    assert not [text for text in [*shown, str(caught.value)] if token in text]
    with pytest.raises(TypeError):
        msgspec.json.encode(config)
    assert token in repr(msgspec.structs.replace(config.api, token=token)), "the check must see a bare string"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_loopback_needs_no_token(write: Write, host: str) -> None:
    """An API that only this machine can reach may go without a token."""
    assert load(write(f'[api]\nhost = "{host}"\n'), {}).api == ApiConfig(host=host)


def test_every_format_can_be_named(write: Write) -> None:
    """`kafka.format` takes exactly the formats that there are decoders for, `auto`, and the names of field maps."""
    assert set(get_args(Format)) == {"auto", *FORMATS}
    assert formats(Config()) == list(get_args(Format))
    config = load(write('[kafka]\nformat = "home"\n' + HOME), {})
    assert set(formats(config)) == {"auto", "home", *FORMATS}


def test_a_field_map_is_read(write: Write) -> None:
    """A text is a path; a table says more."""
    (home,) = load(write(HOME), {}).kafka.field_map  # type: ignore[union-attr]
    assert home.fields["model"] == FieldRule(path="model")
    assert home.fields["provider"] == FieldRule(value="openai")
    assert home.fields["duration_s"] == FieldRule(path="latency_ms", unit="ms")
    assert home.fields["labels.user"] == FieldRule(path="user_id")
    assert home.fields["status"].values == {"OK": "ok", "FAIL": "error"}


def test_labels_need_no_quotes(write: Write) -> None:
    """`labels.user` in the file, or __LABELS__USER in a variable, is one field; `labels` with a path is all of them."""
    text = '[[kafka.field_map]]\nname = "a"\n[kafka.field_map.fields]\nmodel = "m"\n'
    variable = {"UNDERTOW_KAFKA__FIELD_MAP__0__FIELDS__SIGNALS__CITED": "c"}
    config = load(write(text + 'labels.user = "u"\nlabels.team = {path = "t"}\n'), variable)
    assert config.kafka is not None
    assert config.kafka.field_map[0].fields.keys() == {"model", "labels.user", "labels.team", "signals.cited"}
    config = load(write(text + 'labels = {path = "meta"}\n'), {})
    assert config.kafka is not None
    assert config.kafka.field_map[0].fields["labels"] == FieldRule(path="meta")


def test_a_field_map_from_the_environment(write: Write) -> None:
    """A variable sets one key of a map, or brings all maps as JSON."""
    changed = load(write(HOME), {"UNDERTOW_KAFKA__FIELD_MAP__0__FIELDS__MODEL": "m", "UNDERTOW_KAFKA__FORMAT": "home"})
    assert changed.kafka is not None
    assert changed.kafka.field_map[0].fields["model"] == FieldRule(path="m")
    text = '[{"name": "a", "fields": {"model": "m", "ttft_s": {"path": "t", "unit": "ms"}}}]'
    brought = load(write(""), {"UNDERTOW_KAFKA__FIELD_MAP": text})
    assert brought.kafka is not None
    assert brought.kafka.field_map[0].fields["ttft_s"].unit == "ms"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kafka", "webhook", "url", "secret", "topics", "refusal", "field_map", "fields"]), inner
        )
    ),
    max_leaves=8,
)


@given(JSON, st.text(string.ascii_uppercase + "_0", min_size=1, max_size=24))
def test_nonsense_is_a_named_mistake(value: object, name: str) -> None:
    """Whatever a variable is called and holds, the answer is a configuration or a ConfigError."""
    text = msgspec.json.encode(value).decode()
    for key in ("ALERTS", "KAFKA", "DETECT__SIGNALS", "ALERTS__WEBHOOK", "KAFKA__TOPICS", f"A__{name}", name):
        with contextlib.suppress(ConfigError):
            load(EMPTY, {f"UNDERTOW_{key}": text, "UNDERTOW_KAFKA__TOPICS__0": text})


def test_the_dashboard_reads_its_own_section_and_no_secret(write: Write) -> None:
    """It may run where the secrets of the monitor cannot be read; the link of the alerts is one of its addresses."""
    path = write(
        '[alerts]\ndashboard_url = "https://a.example/x"\n'
        '[[alerts.webhook]]\nurl = "https://b.example"\nsecret_file = "/nowhere/secret"\n'
        '[dashboard]\naddresses = ["http://c.example:8501"]\noperators = ["ada"]\n'
    )
    with pytest.raises(ConfigError, match="secret_file"):
        load(path, {})
    found = load_dashboard(path, {"UNDERTOW_DASHBOARD__READ_ONLY": "true", "UNDERTOW_DASHBOARD_LOGIN": "oidc"})
    assert found.addresses == ["http://c.example:8501", "https://a.example/x"]
    assert (found.read_only, found.operators) == (True, ["ada"])
    with pytest.raises(ConfigError, match="unknown key"):
        load_dashboard(path, {"UNDERTOW_DASHBOARD__ORIGINS": "x"})
