"""The dashboard's entry: pages and their addresses. Streamlit runs this file for every page and every visitor.

A folder called `pages` beside it would be served without this file until somebody has opened it once, hence `views`.
"""

import streamlit as st

from undertow_dashboards import who

# Icons of the page list come with Streamlit; a :material/: page_icon would be fetched from the internet.
st.set_page_config(page_title="Undertow", page_icon="🌊", layout="wide")
# Names are code spans. What a filter has chosen is readable on both themes: 7:1, where Streamlit's dark one has 2:1.
st.html(
    "<style>[data-testid='stMarkdownContainer'] code { font-size: 0.92em; }"
    "[data-testid='stMultiSelectTagsContainer'] [data-tag] { background-color: #005A8C; color: #FFFFFF; }</style>"
)
who.admit()
who.leave()
st.navigation(
    [
        st.Page("views/fleet.py", title="Fleet", icon=":material/waves:", default=True),
        st.Page("views/target.py", title="Target", icon=":material/monitoring:", url_path="target"),
        st.Page("views/incident.py", title="Incidents", icon=":material/error:", url_path="incident"),
        st.Page("views/cost.py", title="Cost", icon=":material/payments:", url_path="cost"),
        st.Page("views/weights.py", title="Weights", icon=":material/tune:", url_path="weights"),
        st.Page(
            "views/detectability.py", title="Detectability", icon=":material/troubleshoot:", url_path="detectability"
        ),
        st.Page("views/budget.py", title="Budget", icon=":material/notifications:", url_path="budget"),
        st.Page("views/ingestion.py", title="Ingestion", icon=":material/input:", url_path="ingestion"),
    ],
    position="top",
).run()
