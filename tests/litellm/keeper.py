"""A callback that appends each StandardLoggingPayload to the file of $KEEPER, as it is; runs inside of LiteLLM."""

import json
import os
from typing import Any

from litellm.integrations.custom_logger import CustomLogger


class Keeper(CustomLogger):  # type: ignore[misc]  # litellm is not in this environment
    """Keeps what it is told of."""

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """An answer."""
        with open(os.environ["KEEPER"], "a") as lines:  # noqa: PTH123  it is no path here
            lines.write(json.dumps(kwargs["standard_logging_object"], default=str) + "\n")

    async_log_failure_event = async_log_success_event


logger = Keeper()
