"""The dashboard without some checks of its guard, for negative controls: `unguarded host,origin,token OPTIONS...`.

Without all three there is no guard at all.
"""

import sys
from typing import get_args

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from undertow_dashboards import __main__ as dashboard
from undertow_dashboards import guard
from undertow_dashboards.guard import Guard, Refusal

LEFT_OUT = sys.argv[1].split(",")


class Weak(Guard):
    """A guard that overlooks something."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if set(LEFT_OUT) == set(get_args(Refusal)):
            await self._app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def refusal(self, asked: HTTPConnection) -> Refusal | None:
        return next((one for one in self.refusals(asked) if one not in LEFT_OUT), None)


if __name__ == "__main__":
    guard.Guard = Weak  # type: ignore[misc]
    sys.exit(dashboard.main(sys.argv[2:]))
