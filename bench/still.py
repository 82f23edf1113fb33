"""`python -m bench.still CONFIG`: the monitor's API and the store behind it, while nothing else of the monitor runs."""

import sys
from pathlib import Path

import uvicorn

from undertow.api.app import create
from undertow.clock import system_clock
from undertow.commands.serve import listen
from undertow.loading import load
from undertow.store import Store
from undertow.watch.loop import Watcher


def main(file: Path) -> None:
    """Answer until the process is ended."""
    config = load(file, {})
    listener = listen(config.api.host, config.api.port)
    with Store.open(config.store.path, config=config.store) as store:
        app = create(store, Watcher(store, config, system_clock), None, config, system_clock)
        uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run(sockets=[listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
