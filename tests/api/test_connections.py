"""Which connections are kept, and how long, decided on a clock that the test moves."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from undertow.api.connections import HEAD_S, READ_BYTES, READ_S, Connections, Turn, allowed, network
from undertow.clock import ManualClock
from undertow.config import ApiConfig

Keep = Callable[..., "Client"]


@dataclass(eq=False)
class Client:
    """A client that has the turn that it is given."""

    network: str
    since: float
    waited_for: Turn | None = Turn.FIRST_REQUEST
    unread: int = 0
    dropped: bool = False

    def turn(self) -> Turn | None:
        """As given."""
        return Turn.READING_OR_BODY if self.unread else self.waited_for

    def unread_bytes(self) -> int:
        """As given."""
        return self.unread

    def drop(self) -> None:
        """Remember it."""
        self.dropped = True


class Door:
    """Connections, at most `limit` of them, `per_network` of one, and what was closed."""

    def __init__(self, limit: int = 4, per_network: int = 4) -> None:
        self.clock = ManualClock(1000.0)
        self.connections = Connections(limit, per_network, self.clock)

    def enter(self, address: str = "a", turn: Turn | None = Turn.FIRST_REQUEST) -> Client:
        """A client that came now and was admitted."""
        client = Client(address, self.clock(), turn)
        assert self.connections.admit(client)
        self.clock.advance(0.001)
        return client

    def swept(self, after_s: float) -> dict[str, int]:
        """What was closed by then, without what never was."""
        self.clock.advance(after_s)
        self.connections.sweep()
        return {reason: count for reason, count in self.connections.closed.items() if count}


def test_a_full_server_makes_room_by_the_one_that_was_waited_for_longest() -> None:
    """The newest is kept, the oldest of those that owe their first request goes."""
    door = Door()
    first, *others = [door.enter() for _ in range(4)]
    last = door.enter()
    assert [one.dropped for one in (first, *others, last)] == [True, False, False, False, False]
    assert door.connections.closed["displaced"] == 1
    assert door.connections.count() == 4


def test_nobody_whose_request_is_being_answered_makes_room() -> None:
    """Where the server owes all of them an answer the new one is refused, and counted."""
    door = Door()
    busy = [door.enter(turn=None) for _ in range(4)]
    assert not door.connections.admit(Client("b", 0.0))
    assert not any(one.dropped for one in busy)
    assert door.connections.closed["too_many"] == 1


def test_those_who_had_an_answer_make_room_first() -> None:
    """A cheap request keeps nobody in place: idle ones go before bodies, bodies before who has just come."""
    door = Door()
    fresh = door.enter()
    body = door.enter(turn=Turn.READING_OR_BODY)
    idle = door.enter(turn=Turn.NEXT_REQUEST)
    unread = door.enter(turn=None)
    unread.unread = 5
    for _ in range(3):
        door.enter(turn=None)
    assert idle.dropped
    assert body.dropped
    assert unread.dropped
    assert not fresh.dropped


def test_one_address_takes_only_its_share() -> None:
    """At its limit an address makes room among its own; others lose nothing by it."""
    door = Door(limit=4, per_network=2)
    other = door.enter("b")
    mine = [door.enter("a") for _ in range(10)]
    assert [one.dropped for one in mine] == [True] * 8 + [False] * 2
    assert not other.dropped


def test_without_that_share_one_address_takes_all() -> None:
    """The negative control."""
    door = Door(limit=4, per_network=4)
    other = door.enter("b")
    for _ in range(10):
        door.enter("a")
    assert other.dropped


@pytest.mark.parametrize("turn", [Turn.FIRST_REQUEST, Turn.NEXT_REQUEST])
def test_a_head_has_a_deadline(turn: Turn) -> None:
    """From the connection or the last answer on; however many bytes of it have come."""
    door = Door()
    slow, busy = door.enter(turn=turn), door.enter(turn=None)
    assert door.swept(HEAD_S - 0.1) == {}
    assert door.swept(0.2) == {"slow_head": 1}
    assert (slow.dropped, busy.dropped) == (True, False)
    assert door.connections.count() == 1


@pytest.mark.parametrize(("pace_bytes_per_s", "kept"), [(0, False), (1, False), (900, False), (1100, True)])
def test_an_answer_is_read_at_a_least_pace(pace_bytes_per_s: int, kept: bool) -> None:
    """A reader of 1 KiB a second may take as long as it likes; one that does not come to that is dropped."""
    door = Door()
    reader = door.enter(turn=None)
    reader.unread = 10 * READ_BYTES
    for _ in range(2 * int(READ_S)):
        door.swept(1.0)
        reader.unread -= pace_bytes_per_s
    assert reader.dropped is not kept
    assert door.connections.closed["slow_reader"] == (not kept)


def test_an_answer_that_was_read_is_forgotten() -> None:
    """The pace counts anew for the next answer."""
    door = Door()
    reader = door.enter(turn=None)
    reader.unread = 100
    assert door.swept(READ_S - 1) == {}
    reader.unread = 0
    assert door.swept(1.0) == {}
    reader.unread = 100
    assert door.swept(READ_S - 1) == {}


def test_who_left_takes_no_place() -> None:
    """Also where it leaves twice, or was never admitted."""
    door = Door()
    for _ in range(20):
        client = door.enter(turn=None)
        door.connections.forget(client)
        door.connections.forget(client)
    door.connections.forget(Client("never", 0.0))
    assert door.connections.count() == 0


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_what_counts_as_one_address(address: str, counted: str) -> None:
    """Of IPv6 the 64 bits that one host can change at will do not count."""
    assert network(address) == counted


@pytest.mark.parametrize(
    ("files", "found"), [(-1, (512, 256)), (1024, (512, 256)), (4096, (512, 256)), (256, (128, 64)), (1, (1, 1))]
)
def test_connections_take_at_most_half_of_the_files(files: int, found: tuple[int, int]) -> None:
    """The share of one address stays what it is."""
    assert allowed(ApiConfig(), files) == found


def test_behind_a_proxy_one_address_may_have_all() -> None:
    """As configured, also with few files; more than all is all."""
    config = ApiConfig(max_connections=100, max_connections_per_address=100)
    assert allowed(config, 100) == (50, 50)
    config = ApiConfig(max_connections=100, max_connections_per_address=1000)
    assert allowed(config, -1) == (100, 100)
