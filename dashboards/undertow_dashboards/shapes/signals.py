"""A signal over time and before against after."""

from collections.abc import Sequence

from msgspec import Struct, field

from undertow_dashboards.shapes.targets import Target


class Point(Struct, frozen=True):
    """One time bin of a signal: quantiles of its values, or the rate of a yes/no signal."""

    at: float
    n: int = 0
    p05: float | None = None
    p25: float | None = None
    p50: float | None = None
    p75: float | None = None
    p95: float | None = None
    p99: float | None = None
    rate: float | None = None


class Series(Struct, frozen=True):
    """A signal over time; `kind` is quantiles, rate or count."""

    signal: str
    kind: str
    unit: str = ""
    points: Sequence[Point] = ()


class RouteCount(Struct, frozen=True):
    """How many answers a route gave before and after."""

    route: str | None = None
    n_before: int = 0
    n_after: int = 0


class SharePoint(Struct, frozen=True):
    """One time bin of a name's shares: how many of the `n` have which value; `other` have a rarer one."""

    at: float
    n: int = 0
    shares: dict[str, int] = {}
    other: int = 0


class Shares(Struct, frozen=True):
    """What was served, or ended how, over time."""

    field: str
    points: Sequence[SharePoint] = ()


class EvidencePoint(Struct, frozen=True):
    """The evidence of a change, and the alarm's threshold then, as decimal logarithms."""

    at: float
    log10_evidence: float | None = None
    log10_threshold: float | None = None


class Evidence(Struct, frozen=True):
    """The evidence of a change of one signal over time."""

    signal: str
    log10_threshold: float | None = None
    points: Sequence[EvidencePoint] = ()


class Mark(Struct, frozen=True):
    """Something that happened to a target and belongs on its timeline; `incident` is the id of one that it is about."""

    at: float
    kind: str
    text: str = ""
    incident: str | None = None


class Marks(Struct, frozen=True):
    """Body of /v1/marks."""

    marks: Sequence[Mark] = ()


class Side(Struct, frozen=True):
    """A signal's values in one window: `ecdf` as (value, share at or below), `shares` as answers by name."""

    from_: float | None = field(name="from", default=None)
    to: float | None = None
    n: int = 0
    quantiles: dict[str, float | None] | None = None
    ecdf: Sequence[tuple[float, float]] = ()
    rate: float | None = None
    shares: dict[str, int] | None = None
    other: int = 0


class Distribution(Struct, frozen=True):
    """A signal in the baseline and now; `routes` has the answers of each route."""

    signal: str
    kind: str
    unit: str = ""
    before: Side = Side()
    after: Side = Side()
    routes: Sequence[RouteCount] = ()


class Effect(Struct, frozen=True):
    """The size of a change in natural units, with its 95 % interval."""

    name: str
    value: float | None = None
    ci95: tuple[float | None, float | None] | None = None


class Remembered(Struct, frozen=True):
    """One signal of the last days against one baseline; `changed` says that the interval leaves out "no change"."""

    target: Target
    signal: str
    effect: Effect
    baseline_version: int = 1
    baseline_start: float | None = None
    baseline_end: float | None = None
    changed: bool = False


class Memory(Struct, frozen=True):
    """The last `days` before `until` against every baseline that a target was judged by."""

    days: float | None = None
    until: float | None = None
    signals: Sequence[Remembered] = ()
