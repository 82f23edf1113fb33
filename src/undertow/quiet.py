"""When nobody is to be told: silences that people set, and maintenance windows of the configuration.

Both suppress sending, never recording. Pure: every question comes with its time, Unix seconds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from undertow.globs import fits
from undertow.keys import Place

MATCHERS = ("provider", "model", "route", "lane", "cause")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_MINUTES_OF_DAY = 24 * 60
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")


def _says(text: str) -> Meta:
    return Meta(description=text)


_Glob = Annotated[str, Meta(min_length=1, max_length=256)]


class MaintenanceConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nobody is told: `days` with `start` and `end`, every week, or once `begins` to `ends`."""

    name: Annotated[Annotated[str, Meta(min_length=1)], _says("what it is for, as the audit trail tells it")]
    days: Annotated[list[Day], _says("days of the week on which it starts; none is every day")] = []
    start: Annotated[str, _says("when it starts on such a day, `HH:MM`")] = ""
    end: Annotated[str, _says("when it ends, `HH:MM`; one that is not after `start` is on the next day")] = ""
    timezone: Annotated[str, _says("of `start` and `end`, an IANA name")] = "UTC"
    begins: Annotated[str, _says("when a single one begins, RFC 3339 with an offset")] = ""
    ends: Annotated[str, _says("when it ends, RFC 3339 with an offset")] = ""
    provider: Annotated[_Glob | None, _says("only incidents of this provider; `*` stands for any text")] = None
    model: Annotated[_Glob | None, _says("only of this model")] = None
    route: Annotated[_Glob | None, _says("only of this route")] = None
    lane: Annotated[_Glob | None, _says("only of this lane")] = None
    cause: Annotated[_Glob | None, _says("only of this cause")] = None

    def active(self, now: float) -> bool:
        """Whether it is on."""
        if self.begins:
            return _moment(self.begins) <= now < _moment(self.ends)
        local = datetime.fromtimestamp(now, _zone(self.timezone))
        minute, start, end = local.hour * 60 + local.minute, _minute(self.start), _minute(self.end)
        today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
        length = end - start if end > start else end - start + _MINUTES_OF_DAY
        return (self._on(today) and 0 <= minute - start < length) or (
            self._on(yesterday) and minute + _MINUTES_OF_DAY - start < length
        )

    def _on(self, day: str) -> bool:
        return not self.days or day in self.days


def check(windows: Sequence[MaintenanceConfig], place: Place) -> None:
    """Raise ConfigError where a window cannot be on at any time."""
    for index, window in enumerate(windows):
        here = place / index
        weekly, once = (window.start, window.end), (window.begins, window.ends)
        if any(weekly) == any(once) or not all(weekly if any(weekly) else once):
            raise here.error("needs either start and end, or begins and ends")
        if any(once):
            _check_once(window, here)
        else:
            _check_weekly(window, here)


def _check_once(window: MaintenanceConfig, here: Place) -> None:
    for key in ("begins", "ends"):
        try:
            _moment(getattr(window, key))
        except ValueError:
            raise (here / key).error("expected a time with its offset, such as 2026-11-20T22:00:00Z") from None
    if _moment(window.ends) <= _moment(window.begins):
        raise (here / "ends").error("is not after begins")


def _check_weekly(window: MaintenanceConfig, here: Place) -> None:
    for key in ("start", "end"):
        if not _CLOCK.fullmatch(getattr(window, key)):
            raise (here / key).error("expected HH:MM, from 00:00 to 24:00")
    try:
        _zone(window.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise (here / "timezone").error(f"{window.timezone!r} is not known") from None


def _zone(name: str) -> tzinfo:
    """UTC is known without a time zone database, which small images lack."""
    return UTC if name == "UTC" else ZoneInfo(name)


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment.astimezone(UTC).timestamp()


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def matches(matchers: Mapping[str, str | None], incident: Mapping[str, Any]) -> bool:
    """Whether each of MATCHERS that is given fits `incident`; `*` stands for any text.

    A route fits an incident all of whose known routes fit, so that one that shows elsewhere too is told.
    """
    told: dict[str, list[str]] = {"route": _routes(incident)}
    for key, value in {**(incident.get("target") or {}), "lane": incident["lane"], "cause": incident["cause"]}.items():
        told[key] = [value] if value is not None else []
    given = {key: pattern for key in MATCHERS if (pattern := matchers.get(key))}
    return all(told.get(key) and all(fits(v, by) for v in told[key]) for key, by in given.items())


def _routes(incident: Mapping[str, Any]) -> list[str]:
    """The routes that the signals were measured on; small ones are measured together, as in `chat, search`."""
    strata = (stratum for signal in incident.get("signals") or () for stratum in signal.get("strata") or ())
    return [route for stratum in strata if stratum.get("route") for route in stratum["route"].split(", ")]


def in_force(silence: Mapping[str, Any], now: float) -> bool:
    """Whether a silence is on."""
    return bool(silence["starts_at"] <= now < silence["ends_at"])


class Quiet:
    """Everything that suppresses sending at one moment."""

    def __init__(self, silences: Iterable[Mapping[str, Any]], windows: Iterable[MaintenanceConfig], now: float) -> None:
        self._all: list[tuple[str, Mapping[str, str | None]]] = [
            (f"silence {one['id']}", one["matchers"]) for one in silences if in_force(one, now)
        ]
        for window in windows:
            if window.active(now):
                self._all.append((f"maintenance {window.name}", {key: getattr(window, key) for key in MATCHERS}))

    def over(self, incidents: Iterable[Mapping[str, Any]]) -> str:
        """What keeps an alert of `incidents` quiet, empty where nothing does: each must be covered by something."""
        found = [next((name for name, by in self._all if matches(by, one)), "") for one in incidents]
        return found[0] if found and all(found) else ""
