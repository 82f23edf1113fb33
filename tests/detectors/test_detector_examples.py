"""The examples in the docstrings, run."""

import doctest
from types import ModuleType

import numpy as np
import pytest

from undertow_detectors import budget, changepoint, crowding, detectability, effect, esr, identity, pit, rates

MODULES = [budget, changepoint, crowding, detectability, effect, esr, identity, pit, rates]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_examples_give_what_they_say(module: ModuleType) -> None:
    """Each module shows its use, and the output is right to the last digit."""
    result = doctest.testmod(module, extraglobs={"np": np})
    assert result.attempted
    assert not result.failed
