"""Charts onto the screen."""

import altair as alt
import streamlit as st
from altair.utils import schemapi

# Altair checks every part of a chart against Vega-Lite's schema, twice, which takes longer than all else on a page. The
# charts are functions of their data alone, and the tests check what they make.
schemapi.disable_debug_mode()
alt.theme.enable("none")  # Streamlit has its own; Altair's would fix the size


def chart(found: alt.TopLevelMixin, told: str) -> None:
    """Show a chart as wide as its place, with `told` for screen readers."""
    st.vega_lite_chart(found.to_dict(validate=False), width="stretch", alt=told)
