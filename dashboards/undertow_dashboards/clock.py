"""Whose clock times are told by: UTC, or that of the person who looks."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

LAST = 253402300799.0 - 86400
"""The last time that has a date in every zone."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Unix seconds as times of one zone, each with the zone's name beside it."""

    zone: tzinfo = UTC
    name: str = "UTC"

    def time(self, at: float, now: float | None = None) -> str:
        """`at` to the minute; without the date when it is today's."""
        then = self._date(at)
        zone = then.tzname() or self.name
        if now is not None and then.date() == self._date(now).date():
            return f"{then:%H:%M} {zone}"
        return f"{then.day} {then:%b %H:%M} {zone}"

    def _date(self, at: float) -> datetime:
        return datetime.fromtimestamp(min(max(at, 86400.0 * (self.zone is not UTC)), LAST), self.zone)


UNIVERSAL = Clock()


def of_zone(name: str | None) -> Clock | None:
    """The clock of an IANA zone as a browser names it; None where it is unknown, or UTC by another name."""
    if not name or name in ("UTC", "Etc/UTC", "GMT", "Etc/GMT"):
        return None
    try:
        return Clock(ZoneInfo(name), name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
