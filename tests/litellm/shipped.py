"""Undertow's own callback; what it ships becomes lines of the file of $KEEPER, not records in Kafka."""

import os
from pathlib import Path

from undertow_collectors.litellm_callback import UndertowLogger


class Lines:
    """What the callback takes for the producer of a topic."""

    def put(self, value: bytes, key: bytes | None = None) -> bool:  # noqa: ARG002  as a producer takes it
        """Take one record."""
        with Path(os.environ["KEEPER"]).open("ab") as lines:
            lines.write(value + b"\n")
        return True


logger = UndertowLogger()
logger.shipper = Lines()
