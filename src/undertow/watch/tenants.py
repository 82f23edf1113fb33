"""Who asks: a tenant that sends far more than in the baseline counts less, so that it cannot pass for the provider."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from undertow.watch.frame import TENANT, FloatArray, Frame, IntArray, Names
from undertow.watch.stream import MIN_VALUES
from undertow_detectors import crowding


class Tenants:
    """The tenants of one target's answers; those without a tenant count in full and are not counted among them."""

    def __init__(self, codes: IntArray) -> None:
        self.reference = crowding.Reference.fit(codes)
        self.state = crowding.State.start(codes)

    @staticmethod
    def learn(frame: Frame) -> "Tenants | None":
        """From a baseline; None where fewer than MIN_VALUES of its answers say who asked."""
        codes = _codes(frame.names(TENANT)[frame.content])
        return Tenants(codes) if len(codes) >= MIN_VALUES else None

    def weigh(self, frame: Frame) -> FloatArray | None:
        """(n,) weights in (0, 1] of the next spans; None where all count in full."""
        names = frame.names(TENANT)
        rows = frame.content & (names.codes >= 0)
        if not rows.any():
            return None
        weights = np.ones(len(frame))
        self.state, weights[rows] = crowding.advance(self.reference, self.state, _codes(names[rows]))
        return weights


def _codes(names: Names) -> IntArray:
    """A number for each known value that is the same in every batch and process; two in 2^64 share one."""
    known = names.codes[names.codes >= 0]
    used, place = np.unique(known, return_inverse=True)
    return _hashed([names.values[code] for code in used])[place]


def _hashed(values: Sequence[str]) -> IntArray:
    digests = b"".join(blake2b(value.encode(), digest_size=8).digest() for value in values)
    return np.frombuffer(digests, "<i8").astype(np.int64)
