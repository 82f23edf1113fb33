"""`undertow serve` without what bounds its clients and its log, or with them: the negative control and the test.

Its argument is JSON: `files` it may open, and what is `unbounded`: `connections`, `logs`.
"""

import json
import resource
import sys

from undertow import log_rates
from undertow.api import server
from undertow.api.connections import Connections
from undertow.cli import main


def _break(what: str) -> None:
    if what == "connections":
        server.ACCEPTED_AT_ONCE = 2048
        Connections.admit = lambda *_: True  # type: ignore[method-assign]
        Connections.sweep = lambda _: None  # type: ignore[method-assign]
    else:
        log_rates.Rates.admit = lambda *_: True  # type: ignore[method-assign]


if __name__ == "__main__":
    plan = json.loads(sys.argv[1])
    for part in plan.get("unbounded", ()):
        _break(part)
    if "files" in plan:
        resource.setrlimit(resource.RLIMIT_NOFILE, (plan["files"], plan["files"]))
    sys.exit(main(["serve", *sys.argv[2:]]))
