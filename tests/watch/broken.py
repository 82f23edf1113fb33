"""Broken variants that more than one test of kills tells from the real thing."""

from typing import Any

from undertow.watch.teller import Teller


class SendsApart(Teller):
    """A broken one: the messages are written in a transaction of their own, after the incident's."""

    def tell(self, told: Any, standing: Any, _transaction: Any, now: float) -> None:
        """Keep the messages for later."""
        self.later = (told, standing, now)

    def afterwards(self) -> None:
        """Write them."""
        with self._store.judgement() as transaction:
            super().tell(*self.later[:2], transaction, self.later[2])
