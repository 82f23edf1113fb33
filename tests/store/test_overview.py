"""Rows put together by several names."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from undertow.store.overview import numbered

NAMES = st.sampled_from([None, "", "a", "b", "\0", "é"])


@given(st.lists(st.tuples(NAMES, NAMES, NAMES)))
def test_rows_of_the_same_names_and_no_others_have_one_number(found: list[tuple[str | None, ...]]) -> None:
    """Unknown is a name of its own."""
    columns = list(zip(*found, strict=True)) or [()] * 3
    cells = pa.table({name: pa.array(values, pa.string()) for name, values in zip("xyz", columns, strict=True)})
    owners, keys = numbered(cells, list("xyz"))
    assert [keys[owner] for owner in owners] == found
    assert len(keys) == len(set(found))
