"""Every capture by its name, and what the decoders do not get right yet."""

from tests.conformance.gaps import (
    applications,
    frameworks,
    gateways,
    jvm,
    langfuse,
    mlflow,
    official,
    openinference,
    openlit,
    traceloop,
    traps,
)
from tests.conformance.rules import Capture

CAPTURES: dict[str, Capture] = {
    **official.CAPTURES,
    **traceloop.CAPTURES,
    **openinference.CAPTURES,
    **openlit.CAPTURES,
    **langfuse.CAPTURES,
    **mlflow.CAPTURES,
    **frameworks.CAPTURES,
    **applications.CAPTURES,
    **jvm.CAPTURES,
    **gateways.CAPTURES,
    **traps.CAPTURES,
}

WRONG: dict[tuple[str, str], str] = {}
"""What the decoders do not yet get right: (capture, field or *) -> why. What became right fails until it leaves."""
