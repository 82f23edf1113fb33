"""What a target served over time: the fingerprints, snapshots and prompt versions of its answers."""

from collections.abc import Sequence

import streamlit as st

from undertow_dashboards import charts, draw, words
from undertow_dashboards.charts import Scene
from undertow_dashboards.client import Client
from undertow_dashboards.clock import Clock
from undertow_dashboards.panels.signal import Asked, maybe
from undertow_dashboards.shapes import Shares

FIELDS = ("response_model", "system_fingerprint", "prompt_version")


def load(client: Client, asked: Asked) -> list[Shares]:
    """Ask the monitor for each field that it has."""
    found = (
        maybe(lambda field=field: client.shares(asked.target, field, *asked.span, 4 * asked.step_s, asked.route))  # type: ignore[misc]
        for field in FIELDS
    )
    return [shares for shares in found if shares is not None]


def section(found: Sequence[Shares], scene: Scene, step_s: float) -> None:
    """Each field in a sentence, a picture and a table."""
    for shares in found:
        st.header(words.signal(shares.field).capitalize(), anchor=False)
        summary = told(shares, scene.clock)
        st.text(summary)
        if not any(point.shares for point in shares.points):
            continue
        draw.chart(charts.shares_chart(shares, scene, 4 * step_s), summary)
        with st.expander("As a table", icon=":material/table:", type="compact"):
            st.dataframe(rows(shares, scene.clock), hide_index=True)


def told(shares: Shares, clock: Clock) -> str:
    """What is served most now, and since when it is."""
    points = [(p.at, max(p.shares, key=lambda name: p.shares[name])) for p in shares.points if p.shares]
    if not points:
        return "The gateway's log does not say."
    now = points[-1][1]
    before = next(((at, name) for at, name in reversed(points) if name != now), None)
    seen = {name for p in shares.points for name in p.shares}
    if before is None:
        rest = f", beside {words.counted(len(seen) - 1, 'rarer one')}" if len(seen) > 1 else ""
        return f"{words.clean(now)} all the time{rest}."
    since = next(at for at, _ in points if at > before[0])
    return (
        f"{words.clean(now)} since about {clock.time(since)}, before that {words.clean(before[1])}; {len(seen)} in all."
    )


def rows(shares: Shares, clock: Clock) -> list[dict[str, object]]:
    """A row for each time and name."""
    return [
        {f"time ({clock.name})": clock.time(p.at), "value": words.cell(name), "answers": n, "share": n / p.n}
        for p in shares.points
        for name, n in sorted(p.shares.items(), key=lambda one: -one[1])
        if p.n
    ]
