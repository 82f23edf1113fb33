from undertow.store.store import Store

__all__ = ["Store"]
