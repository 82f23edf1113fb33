"""LiteLLM's logging callback that ships each attempt at an LLM call to Kafka.

Name it in the proxy's configuration: `litellm_settings: {callbacks: [undertow_collectors.litellm_callback.logger]}`.
Settings are environment variables: `UNDERTOW_KAFKA__*` for the brokers, as in Undertow's own configuration, and
`UNDERTOW_LITELLM__*`, the keys of `LitellmConfig`. It needs litellm, kafka-python, lz4 and msgspec, no more.
"""

import logging
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import kafka
import msgspec
from litellm.integrations.custom_logger import CustomLogger
from msgspec import Meta

from undertow.config import KafkaConfig, Text
from undertow.keys import Place, overlay, read
from undertow.loading import PREFIX
from undertow_collectors import litellm_payload
from undertow_collectors.kafka_python import connection
from undertow_collectors.shipper import BUFFER_BYTES, Shipper

DELIVERY_MS = 3_600_000
"""How long a record is tried; the buffer's size bounds what waits meanwhile."""

_log = logging.getLogger(__name__)


class LitellmConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the callback sends, and where to."""

    topic: Text = "llm_requests"
    send_text: bool = False
    buffer_bytes: Annotated[int, Meta(ge=1)] = BUFFER_BYTES


class UndertowLogger(CustomLogger):  # type: ignore[misc]  # litellm is not in this environment
    """Ships every attempt once, whatever came of it; nothing of it is waited for or raised into the proxy."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Raises ConfigError, which keeps the proxy from starting, where a variable is wrong; it names the variable."""
        super().__init__()
        place, table = Place("environment"), dict[str, Any]()
        overlay(table, environ, PREFIX, place)
        self.config: LitellmConfig = read(table.get("litellm", {}), LitellmConfig, place / "litellm")
        self._kafka = read(table.get("kafka", {}), KafkaConfig, place / "kafka")
        self.shipper = Shipper(self.config.topic, self._producer, self.config.buffer_bytes)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call of litellm's synchronous functions."""
        self._ship(kwargs)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The same, failed."""
        self._ship(kwargs)

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """A call that was answered, or whose client went away."""
        self._ship(kwargs)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """The first failed attempt of a request; LiteLLM keeps the later ones to itself."""
        self._ship(kwargs)

    async def async_post_call_failure_deployment_hook(
        self, request_data: Any, exception: Any, call_type: Any, fallback_depth: Any = None
    ) -> None:
        """Every failed attempt, before it is logged: those after the first are shipped from here."""
        try:
            log = request_data.get("litellm_logging_obj")
            if log is not None and log.model_call_details.get("has_logged_async_failure"):
                self._ship(_details(log, request_data, exception))
        except Exception:  # noqa: BLE001  the request that is logged must not see it
            _log.exception("a failed attempt was not shipped")

    def _ship(self, kwargs: Mapping[str, Any]) -> None:
        try:
            payload = kwargs.get("standard_logging_object")
            if isinstance(payload, dict) and litellm_payload.reached_a_provider(kwargs):
                value = litellm_payload.record(payload, kwargs, self.config.send_text)
                trace = payload.get("trace_id")  # keeps the attempts of a request in one partition
                self.shipper.put(value, trace.encode() if isinstance(trace, str) else None)
        except Exception:  # noqa: BLE001  as above
            _log.exception("a call was not shipped")

    def _producer(self) -> Any:
        return kafka.KafkaProducer(
            **connection(self._kafka),
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            delivery_timeout_ms=DELIVERY_MS,
        )


def _details(log: Any, request: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    """What LiteLLM would have logged of an attempt that failed just now."""
    from litellm.litellm_core_utils.litellm_logging import get_standard_logging_object_payload  # not in its public API

    details: dict[str, Any] = log.model_call_details
    parameters = (details.get("litellm_params") or {}) | {"metadata": request.get("metadata") or {}}
    found = {name: value for name, value in details.items() if name not in ("standard_logging_object", "messages")}
    found |= {"litellm_params": parameters, "original_response": None}
    now = datetime.now()  # noqa: DTZ005  LiteLLM's times have no zone either
    found["standard_logging_object"] = get_standard_logging_object_payload(
        kwargs=found,
        init_response_obj={},
        start_time=details.get("api_call_start_time") or now,
        end_time=now,
        logging_obj=log,
        status="failure",
        error_str=type(error).__name__,
        original_exception=error,
    )
    return found


logger = UndertowLogger()
"""What the proxy's configuration names."""
