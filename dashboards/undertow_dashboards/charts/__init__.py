"""Charts as pure functions from API shapes to Altair."""

from undertow_dashboards.charts.axes import AFTER, BEFORE, QUIET
from undertow_dashboards.charts.counts import reasons_chart
from undertow_dashboards.charts.distribution import SHARES, distribution_chart, wilson
from undertow_dashboards.charts.effects import UNITS, effects_chart
from undertow_dashboards.charts.series import MAX_POINTS, readable_rates, series_chart, spark
from undertow_dashboards.charts.throughput import throughput_chart
from undertow_dashboards.charts.weights import weights_chart

__all__ = [
    "AFTER",
    "BEFORE",
    "MAX_POINTS",
    "QUIET",
    "SHARES",
    "UNITS",
    "distribution_chart",
    "effects_chart",
    "readable_rates",
    "reasons_chart",
    "series_chart",
    "spark",
    "throughput_chart",
    "weights_chart",
    "wilson",
]
