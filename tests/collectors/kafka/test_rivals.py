"""When others in the group are told of: named ones at once, unnamed ones when partitions stay with nobody we know."""

from undertow_collectors.client import Member, View
from undertow_collectors.rivals import REJOIN_S, UNSEEN_S, Rivals

ALL = frozenset({("t", 0), ("t", 1), ("t", 2)})
RIVAL = Member("other", "/10.0.0.2", None, (("t", 2),), "consumer")
GHOST = Member("undertow-1", "/10.0.0.1", None, ())


def test_a_named_rival() -> None:
    """It is told at once, with what it holds, by which protocol, and what that costs."""
    told = Rivals("undertow-1").conflict(
        View(partitions=ALL, others=(GHOST, RIVAL)), ALL - {("t", 2)}, 0.0, settled=True
    )
    assert told == (
        "kafka.group_id is shared with other at 10.0.0.2 (holds t[2], by the consumer group protocol), so only a part "
        "of the traffic arrives here; give each database a group of its own"
    )


def test_an_unnamed_rival() -> None:
    """Partitions are asked for once, and what stays away after that is told until it is ours."""
    rivals, ours = Rivals("undertow-1"), ALL - {("t", 2)}
    view = View(partitions=ALL)
    assert rivals.conflict(view, ours, 100.0, settled=True) == ""
    assert not rivals.should_rejoin(100.0)
    assert rivals.conflict(view, ours, 100.0 + REJOIN_S, settled=True) == ""
    assert rivals.should_rejoin(100.0 + REJOIN_S)
    assert rivals.conflict(view, ours, 110.0, settled=False) == ""  # the rebalance that was asked for
    assert rivals.conflict(view, ours, 111.0, settled=True) == ""
    assert not rivals.should_rejoin(111.0 + REJOIN_S)
    told = rivals.conflict(view, ours, 111.0 + UNSEEN_S, settled=True)
    assert told.startswith("1 of 3 partitions are read by another member of kafka.group_id, which the broker does not")
    assert "t[2]" in told
    assert rivals.conflict(view, ALL, 150.0, settled=True) == ""
    assert rivals.conflict(view, ours, 200.0, settled=True) == ""
    assert rivals.conflict(view, ours, 200.0 + REJOIN_S, settled=True) == ""
    assert rivals.should_rejoin(200.0 + REJOIN_S)


def test_nobody_else() -> None:
    """With every partition ours, during a rebalance, and where no partition is known, nothing is told or asked."""
    rivals = Rivals("undertow-1")
    for now in range(100):
        assert rivals.conflict(View(partitions=ALL, others=(GHOST,)), ALL, now, settled=True) == ""
        assert rivals.conflict(View(partitions=ALL), (), now, settled=False) == ""
        assert rivals.conflict(View(), ALL, now, settled=True) == ""
        assert not rivals.should_rejoin(now)
