"""What receivers are told, and when: one alert for each incident or group, through silences and repeats.

Pure: what was told of an alert is a `Said`, kept in the store in the transaction of the incident. A round gives the
messages and the next `Said`; the outbox delivers them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

from undertow.config import AlertsConfig
from undertow.notify.message import Outgoing
from undertow.notify.outbox import plan
from undertow.notify.routing import channel, decide
from undertow.quiet import Quiet
from undertow.watch.grouping import together
from undertow.watch.lifecycle import STANDING, Told

Document = dict[str, Any]
Kind = Literal["opened", "updated", "resolved"]

GROUP_INTERVAL_S = 300.0
"""Further targets of a group are told together, at most so often: fifty of them are no fifty messages."""
REPEATED, RELEASED = "repeated", "silence_ended"
UNHEARD = "it was over before anybody was told"


@dataclass(frozen=True, slots=True)
class Said:
    """What was told of one alert. `owed` is the reason of what is still to be told, empty where nothing is."""

    said: Literal["nothing", "firing", "resolved"] = "nothing"
    said_at: float = 0.0
    owed: str = ""
    quiet: str = ""

    def as_dict(self) -> Document:
        """As the store keeps it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Message:
    """One message to be planned: what is told of `view`, and why."""

    kind: Kind
    reason: str
    view: Document


@dataclass(frozen=True, slots=True)
class Round:
    """What one decision comes to: the alert's next state, and a message or none.

    `untold` is why nobody is ever told of an alert that is over.
    """

    said: Said
    message: Message | None = None
    untold: str = ""


def transition(told: Told, members: Sequence[Document], said: Said, quiet: Quiet, now: float) -> Round:
    """What is told of one transition.

    `members` are the incidents of its alert right after it, in order of opening. A silence holds back news; the end of
    what receivers believe to stand is told through it, once, since they hold that alert open until then.
    """
    view = together(members)
    over = view["status"] not in STANDING
    if over and said.said != "firing" and said.owed:
        return Round(replace(said, owed="", quiet=""), untold=said.quiet or UNHEARD)
    if over:
        return _ended(view, told.reason, now)
    if keeping := quiet.over(members):
        return Round(replace(said, owed=told.reason, quiet=keeping))
    if told.transition == "opened" and said.said == "firing" and _just_told(said, now):
        return Round(replace(said, owed=told.reason, quiet=""))
    message = Message(_kind(told.transition, said), told.reason, view)
    return Round(_having_said(message, now), message)


def due(members: Sequence[Document], said: Said, quiet: Quiet, alerts: AlertsConfig, now: float) -> Round | None:
    """What is told because time has passed: what was owed, and that an incident still stands. None is nothing."""
    view = together(members)
    firing = view["status"] in STANDING
    if said.owed:
        return _owed(view, members, said, quiet, now, firing)
    again_s = alerts.repeat_interval_h * 3600
    if not (firing and said.said == "firing" and view["status"] == "open" and again_s):
        return None
    if now - said.said_at < again_s or quiet.over(members):
        return None
    message = Message("updated", REPEATED, view)
    return Round(_having_said(message, now), message)


def _owed(
    view: Document, members: Sequence[Document], said: Said, quiet: Quiet, now: float, firing: bool
) -> Round | None:
    if not firing:  # as older versions left it: they held ends back too
        return _ended(view, said.owed, now) if said.said == "firing" else Round(replace(said, owed="", quiet=""))
    waits = not said.quiet and _just_told(said, now)
    if waits or quiet.over(members):
        return None
    message = Message(_kind("updated", said), RELEASED if said.quiet else said.owed, view)
    return Round(_having_said(message, now), message)


def _just_told(said: Said, now: float) -> bool:
    """Whether more of a group has to wait; a clock that was set back makes it wait no longer than that."""
    return 0 <= now - said.said_at < GROUP_INTERVAL_S


def _kind(transition: str, said: Said) -> Kind:
    """As receivers see what stands: the first they hear is `opened`, whatever they were not told."""
    if said.said == "firing":
        return "updated"
    return "opened" if said.owed or transition == "opened" else "updated"


def _ended(view: Document, reason: str, now: float) -> Round:
    message = Message("resolved", reason, view)
    return Round(_having_said(message, now), message)


def _having_said(message: Message, now: float) -> Said:
    return Said("resolved" if message.kind == "resolved" else "firing", now)


def finished(said: Said, members: Sequence[Document]) -> bool:
    """Whether nothing will be told of an alert any more, so that it can be forgotten."""
    return not said.owed and all(one["status"] not in STANDING for one in members)


def outgoing(
    message: Message,
    members: Sequence[Document],
    alerts: AlertsConfig,
    now: float,
    *,
    quality: Mapping[str, Any] | None,
    heard: Collection[str] = (),
) -> list[Outgoing]:
    """The rows of the outbox for a message: for channels that `heard` of its alert, or want to hear of a member.

    What one hears first is an opening, whatever others were told before. An end is for those that heard alone: nobody
    else holds anything open.
    """
    view = message.view | {"reason": message.reason}
    wanted = {channel(to) for to in alerts.receivers() if any(decide(one, to) == "told" for one in members)}
    made = partial(plan, incident=view, alerts=alerts, now=now, quality=quality, heard={*heard, *wanted})
    told = [entry for entry in made(f"llm.drift.{message.kind}") if message.kind == "opened" or entry.channel in heard]
    first = [entry for entry in made("llm.drift.opened") if message.kind == "updated" and entry.channel not in heard]
    return [*told, *first]
