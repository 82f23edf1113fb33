"""Charts as pure functions from API shapes to Altair."""

from undertow_dashboards.charts.axes import AFTER, BEFORE, QUIET
from undertow_dashboards.charts.counts import reasons_chart
from undertow_dashboards.charts.distribution import SHARES, distribution_chart, wilson
from undertow_dashboards.charts.effects import UNITS, effects_chart
from undertow_dashboards.charts.evidence import evidence_chart
from undertow_dashboards.charts.marks import SIGNS, Lettered, lettered
from undertow_dashboards.charts.scene import Scene
from undertow_dashboards.charts.series import MAX_POINTS, readable_rates, series_chart, spark
from undertow_dashboards.charts.shares import bar_rows, share_bars, shares_chart
from undertow_dashboards.charts.throughput import throughput_chart
from undertow_dashboards.charts.weights import weights_chart

__all__ = [
    "AFTER",
    "BEFORE",
    "MAX_POINTS",
    "QUIET",
    "SHARES",
    "SIGNS",
    "UNITS",
    "Lettered",
    "Scene",
    "bar_rows",
    "distribution_chart",
    "effects_chart",
    "evidence_chart",
    "lettered",
    "readable_rates",
    "reasons_chart",
    "series_chart",
    "share_bars",
    "shares_chart",
    "spark",
    "throughput_chart",
    "weights_chart",
    "wilson",
]
