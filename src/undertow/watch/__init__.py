"""Watching: what was stored is judged, attributed and told."""

from undertow.watch.loop import Watcher

__all__ = ["Watcher"]
