"""Every setting. The Structs are the only list of keys: checks, defaults and docs/configuration.md follow from them."""

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, field

from undertow.channels import (
    AlertmanagerConfig,
    EmailConfig,
    PagerDutyConfig,
    Receiver,
    SlackConfig,
    TeamsConfig,
    WebhookConfig,
)
from undertow.fieldmaps import FieldMapConfig
from undertow.keys import Secret
from undertow.quiet import MaintenanceConfig
from undertow.veil import Discreet

__all__ = [
    "AlertsConfig",
    "ApiConfig",
    "BaselineConfig",
    "Config",
    "DashboardConfig",
    "DetectConfig",
    "FieldMapConfig",
    "KafkaConfig",
    "MaintenanceConfig",
    "Secret",
    "SignalConfig",
    "StoreConfig",
    "TelemetryConfig",
    "TokenConfig",
    "WebhookConfig",
    "WeightsConfig",
]

Text = Annotated[str, Meta(min_length=1)]
Days = Annotated[int, Meta(ge=1, le=36500)]
Share = Annotated[float, Meta(ge=0, le=1)]
Weight = Annotated[float, Meta(gt=0, le=1e6)]
Connections = Annotated[int, Meta(ge=1, le=65536)]
Wait = Annotated[float, Meta(ge=1, le=31_536_000)]
Lowers = Literal["provider_update", "declared_update", "availability", "infrastructure"]
Format = Literal[
    "auto",
    "native",
    "otlp",
    "otlp_json",
    "litellm",
    "portkey",
    "helicone",
    "bifrost",
    "cloudflare",
    "openrouter",
    "langfuse",
    "kong",
    "apisix",
    "envoy",
    "jaeger_proto",
    "jaeger_json",
    "zipkin_proto",
    "zipkin_json",
]
Scope = Literal["read", "operate", "ingest"]


_FORMATS = ", ".join(f"`{name}`" for name in get_args(Format)[1:])


def _says(text: str) -> Meta:
    return Meta(description=text)


class KafkaConfig(Discreet, msgspec.Struct, frozen=True, kw_only=True):
    """Where the request log comes from. Without this section only HTTP ingestion runs."""

    bootstrap_servers: Annotated[Text, _says("brokers, `HOST:PORT`, comma-separated")] = "localhost:9092"
    topics: Annotated[list[Text], _says("topics to read")] = field(
        default_factory=lambda: ["otlp_spans", "llm_requests"]
    )
    group_id: Annotated[Text, _says("consumer group; one monitor, one group")] = "undertow"
    format: Annotated[
        Text, _says(f"what they hold: `auto` recognises each message; {_FORMATS}; a field map's name")
    ] = "auto"
    client: Annotated[
        Literal["kafka-python", "confluent-kafka"], _says("client library; `confluent-kafka` has to be installed")
    ] = "kafka-python"
    start: Annotated[Literal["earliest", "latest"], _says("where a first start begins; history serves as baseline")] = (
        "earliest"
    )
    api_version: Annotated[
        Annotated[str, Meta(pattern=r"^\d+\.\d+(\.\d+)?$")] | None,
        _says("protocol version, e.g. `2.0`, for brokers that cannot be asked; static membership is off then"),
    ] = None
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], _says("how the connection is secured")
    ] = "PLAINTEXT"
    ssl_cafile: Annotated[Text | None, _says("file of the certificate authorities to trust")] = None
    ssl_certfile: Annotated[Text | None, _says("client certificate")] = None
    ssl_keyfile: Annotated[Text | None, _says("key of the client certificate")] = None
    ssl_password: Annotated[Secret | None, _says("passphrase of that key")] = None
    ssl_password_file: Annotated[str | None, _says("file that holds `ssl_password`")] = None
    ssl_check_hostname: Annotated[bool, _says("whether the broker's certificate must carry its host name")] = True
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None, _says("how to log in, with a `SASL_` protocol")
    ] = None
    sasl_username: Annotated[Text | None, _says("user name")] = None
    sasl_password: Annotated[Secret | None, _says("password")] = None
    sasl_password_file: Annotated[str | None, _says("file that holds `sasl_password`")] = None
    field_map: Annotated[list[FieldMapConfig], _says("JSON logs of your own")] = []


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept, and for how long."""

    path: Annotated[Text, _says("the DuckDB file")] = "undertow.duckdb"
    raw_retention_days: Annotated[Days, _says("days that spans are kept")] = 30
    rollup_retention_days: Annotated[Days, _says("days that the aggregates are kept")] = 400
    keep_labels: Annotated[
        list[Text], _says("unknown keys of the native format to keep as labels; others are counted and dropped")
    ] = []
    keep_text: Annotated[bool, _says("keep the bytes of messages that could not be decoded")] = False
    text_retention_days: Annotated[Days, _says("days that such bytes are kept")] = 7
    memory_limit: Annotated[
        Annotated[str, Meta(pattern=r"^[1-9]\d*(\.\d+)?[KMGT]i?B$")] | None,
        _says("memory that the database may take, such as `1GiB`; by default four fifths of the machine's"),
    ] = None
    redact: Annotated[bool, _says("remove e-mail addresses, keys and card numbers from kept text")] = True


class BaselineConfig(msgspec.Struct, frozen=True, kw_only=True):
    """When a target's baseline is frozen: once both are met, by the spans' own times."""

    min_spans: Annotated[Annotated[int, Meta(ge=1)], _says("successful spans of the target")] = 2000
    min_hours: Annotated[Annotated[float, Meta(ge=0, le=8784)], _says("hours that they cover")] = 48.0


class SignalConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One signal: a built-in one or the user's own."""

    enabled: Annotated[bool, _says("whether the signal is watched")] = True
    tolerance: Annotated[
        Annotated[float, Meta(ge=0, le=1e6)], _says("smallest change that counts: relative, or of the odds for a rate")
    ] = 0.0
    weight: Annotated[Weight, _says("share of the target's false alarms, relative to other signals")] = 1.0


_SIGNAL = SignalConfig()


class DetectConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How careful the detectors are."""

    false_alarm_interval_days: Annotated[
        Annotated[float, Meta(gt=0, le=1e6)], _says("days between false alarms that you accept, for the whole fleet")
    ] = 30.0
    lateness_s: Annotated[
        Annotated[float, Meta(ge=0, le=86400)], _says("seconds of event time that spans may arrive late and be judged")
    ] = 60.0
    reopen_h: Annotated[
        Annotated[float, Meta(ge=0, le=8760)],
        _says("hours after a recovery in which the same change reopens its incident, instead of opening another"),
    ] = 6.0
    group_window_h: Annotated[
        Annotated[float, Meta(ge=0, le=8760)],
        _says("hours within which incidents of one provider's targets are one event and one alert"),
    ] = 1.0
    max_targets: Annotated[
        Annotated[int, Meta(ge=1, le=100_000)],
        _says("targets that are watched by themselves; names beyond are watched together, as `(other)`"),
    ] = 2000
    baseline: BaselineConfig = BaselineConfig()
    signals: Annotated[dict[str, SignalConfig], _says("settings of single signals, by name")] = {}
    target_weights: Annotated[
        dict[str, Weight],
        _says("`provider/model` to its share of the false alarms, relative to others"),
    ] = {}

    def signal(self, name: str) -> SignalConfig:
        """The settings of one signal, the defaults where it has none."""
        return self.signals.get(name, _SIGNAL)


class AlertsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told."""

    webhook: Annotated[list[WebhookConfig], _says("receivers")] = []
    alertmanager: Annotated[list[AlertmanagerConfig], _says("Alertmanagers")] = []
    slack: Annotated[list[SlackConfig], _says("Slack channels")] = []
    pagerduty: Annotated[list[PagerDutyConfig], _says("PagerDuty services")] = []
    teams: Annotated[list[TeamsConfig], _says("Teams channels")] = []
    email: Annotated[list[EmailConfig], _says("mail")] = []
    allow_hosts: Annotated[
        list[Text], _says("private or local hosts and networks that alerts may reach all the same")
    ] = []
    dashboard_url: Annotated[str, _says("address of the dashboard, for the links in alerts")] = ""
    repeat_interval_h: Annotated[
        Annotated[float, Meta(ge=0, le=8760)],
        _says("hours after which an open incident that nobody acknowledged is sent again; 0 never"),
    ] = 24.0
    maintenance: Annotated[list[MaintenanceConfig], _says("times in which nobody is told")] = []

    def receivers(self) -> list[Receiver]:
        """Every receiver, whatever its channel."""
        return [*self.webhook, *self.alertmanager, *self.slack, *self.pagerduty, *self.teams, *self.email]


class WeightsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The feed of traffic weights."""

    mode: Annotated[Literal["advisory", "enforce"], _says("in `advisory` consumers apply nothing")] = "advisory"
    floor: Annotated[Share, _says("least multiplier, so that recovery can be seen")] = 0.05
    ladder: Annotated[list[Share], _says("multipliers, step by step while an incident stands, the first at once")] = (
        field(default_factory=lambda: [0.5, 0.25, 0.05])
    )
    dwell_s: Annotated[Wait, _says("least seconds on each step before the next one down")] = 1800.0
    recovery_s: Annotated[
        Wait, _says("seconds of calm before each step up; at least `dwell_s`, so that it is slower than down")
    ] = 3600.0
    cap: Annotated[
        Annotated[float, Meta(gt=0, le=1)],
        _says("largest share of the traffic that is moved at once; a step that would take more waits"),
    ] = 0.5
    causes: Annotated[list[Lowers], _says("causes of incidents that lower a weight")] = field(
        default_factory=lambda: ["provider_update"]
    )
    ttl_s: Annotated[Annotated[float, Meta(ge=1, le=86400)], _says("seconds that a fetched feed is good for")] = 600.0


class TokenConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One bearer token with its scopes."""

    name: Annotated[Text, _says("who it was given to")]
    scopes: Annotated[list[Scope], _says("`read`, `operate`, `ingest`")] = field(default_factory=lambda: ["read"])
    token: Annotated[Secret | None, _says("the token")] = None
    token_file: Annotated[str | None, _says("file that holds `token`")] = None


class ApiConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP API of `undertow serve`."""

    host: Annotated[Text, _says("address to listen on; anything but loopback needs a token")] = "127.0.0.1"
    port: Annotated[Annotated[int, Meta(ge=0, le=65535)], _says("port to listen on; 0 takes a free one")] = 8321
    token: Annotated[Secret | None, _says("one bearer token for all scopes")] = None
    token_file: Annotated[str | None, _says("file that holds `token`")] = None
    tokens: Annotated[list[TokenConfig], _says("tokens with scopes of their own")] = []
    max_connections: Annotated[
        Connections, _says("connections kept open, at most half of the files that the process may open")
    ] = 512
    max_connections_per_address: Annotated[
        Connections, _says("of them by one address; behind a proxy, where all come from one, the same as all")
    ] = 256


class DashboardConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`undertow dashboard`, which reads this section and `alerts.dashboard_url`."""

    addresses: Annotated[
        list[Text],
        _says("where people open it, beside `alerts.dashboard_url`; loopback names always work, no other does"),
    ] = []
    read_only: Annotated[bool, _says("whether it shows no forms for decisions and sends none")] = False
    operators: Annotated[
        list[Text], _says("who may decide, as the login names people; everybody who may look where it is empty")
    ] = []


class TelemetryConfig(Discreet, msgspec.Struct, frozen=True, kw_only=True):
    """What the monitor says of itself."""

    otlp_endpoint: Annotated[str, _says("OTLP/HTTP endpoint for its metrics; empty sends none")] = ""
    prometheus: Annotated[bool, _says("whether `/metrics` is served")] = True


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration; `Config()` is the defaults."""

    kafka: KafkaConfig | None = None
    store: StoreConfig = StoreConfig()
    detect: DetectConfig = DetectConfig()
    alerts: AlertsConfig = AlertsConfig()
    weights: WeightsConfig = WeightsConfig()
    api: ApiConfig = ApiConfig()
    dashboard: DashboardConfig = DashboardConfig()
    telemetry: TelemetryConfig = TelemetryConfig()


def formats(config: Config) -> list[str]:
    """Every name that `kafka.format` may be: the built-in formats, `auto`, and the field maps."""
    return [*get_args(Format), *(one.name for one in (config.kafka.field_map if config.kafka else ()))]
