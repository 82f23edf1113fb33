"""The callback beside a stand-in for LiteLLM; tests/e2e/test_litellm.py runs it in the real one."""

import asyncio
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from undertow.errors import ConfigError

ROOT = Path(__file__).parents[2]
PROXY = ROOT / "tests/litellm/requirements.lock"
IN_THE_PROXY = """
import sys, types
for name in ("litellm", "litellm.integrations", "litellm.integrations.custom_logger"):
    sys.modules[name] = types.ModuleType(name)
sys.modules[name].CustomLogger = object
sys.modules.update(dict.fromkeys(sys.argv[2:]))
import importlib
importlib.import_module(sys.argv[1])
"""
PAYLOAD = {"id": "1", "litellm_call_id": "c", "trace_id": "t", "status": "success", "model_group": "gpt-4o"}


@pytest.fixture(name="callback")
def _callback(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, with a LiteLLM that has just what it imports."""
    custom_logger = ModuleType("litellm.integrations.custom_logger")
    custom_logger.CustomLogger = type("CustomLogger", (), {})  # type: ignore[attr-defined]
    logging = ModuleType("litellm.litellm_core_utils.litellm_logging")
    logging.get_standard_logging_object_payload = (  # type: ignore[attr-defined]
        lambda **given: PAYLOAD | {"status": given["status"], "startTime": given["start_time"]}
    )
    names = ["litellm", "litellm.integrations", "litellm.litellm_core_utils"]
    modules = [ModuleType(name) for name in names] + [custom_logger, logging]
    for module in modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    name = "undertow_collectors.litellm_callback"
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


def written(distribution: str) -> str:
    """The name of a distribution as lock files write it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


@pytest.mark.parametrize(
    ("module", "starts"), [("undertow_collectors.litellm_callback", True), ("undertow_collectors.pump", False)]
)
def test_it_needs_only_what_the_proxy_has(module: str, starts: bool) -> None:
    """The packages of the proxy's lock file suffice, which do not for a module of the monitor."""
    there = set(re.findall(r"^([a-z0-9-]+)==", PROXY.read_text(), re.MULTILINE)) | {"undertow"}
    absent = [top for top, of in packages_distributions().items() if not there & {written(name) for name in of}]
    done = subprocess.run([sys.executable, "-c", IN_THE_PROXY, module, *absent], capture_output=True, text=True)
    assert (done.returncode == 0) == starts, done.stderr


def opened(record: bytes) -> Any:
    """What is in the envelope of a record."""
    return json.loads(record)["standard_logging_object"]


@pytest.fixture(name="shipped")
def _shipped(callback: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The records that a logger of the module puts, and their keys."""
    found: list[Any] = []
    monkeypatch.setattr(callback.Shipper, "put", lambda _, value, key: found.append((key, opened(value))))
    return found


def test_each_event_is_shipped_under_its_trace(callback: ModuleType, shipped: list[Any]) -> None:
    """Answers and failures, of asynchronous and of synchronous calls; the attempts of a request share a partition."""
    logger = callback.UndertowLogger({})
    told = {"kwargs": {"standard_logging_object": PAYLOAD}, "response_obj": None, "start_time": 0, "end_time": 0}
    logger.log_success_event(**told)
    logger.log_failure_event(**told)
    asyncio.run(logger.async_log_success_event(**told))
    asyncio.run(logger.async_log_failure_event(**told))
    assert [(key, value["id"]) for key, value in shipped] == [(b"t", "1")] * 4


@pytest.mark.parametrize("logged", [True, None])
def test_failures_after_the_first_are_shipped_from_the_hook(
    callback: ModuleType, shipped: list[Any], logged: Any
) -> None:
    """LiteLLM logs the first failed attempt of a request by itself, and no other."""
    log = SimpleNamespace(model_call_details={"has_logged_async_failure": logged, "api_call_start_time": 3})
    request = {"litellm_logging_obj": log, "metadata": {"attempted_retries": 1}}
    hook = callback.UndertowLogger({}).async_post_call_failure_deployment_hook
    asyncio.run(hook(request, TimeoutError(), None, fallback_depth=1))
    assert [value["status"] for _, value in shipped] == (["failure"] if logged else [])
    assert all(value["undertow"]["attempt"] == 1 for _, value in shipped)


@pytest.mark.parametrize("kwargs", [{}, None, {"standard_logging_object": None}, {"standard_logging_object": [1]}])
def test_nothing_is_raised_into_the_proxy(callback: ModuleType, shipped: list[Any], kwargs: Any) -> None:
    """Whatever LiteLLM hands over, and whatever a hook gets."""
    logger = callback.UndertowLogger({})
    logger.log_success_event(kwargs, None, None, None)
    asyncio.run(logger.async_post_call_failure_deployment_hook(kwargs, None, None))
    assert shipped == []


def test_what_never_reached_a_provider_is_left_out(callback: ModuleType, shipped: list[Any]) -> None:
    """The proxy's own refusals are no calls."""
    refused = {"standard_logging_object": PAYLOAD, "litellm_no_upstream_llm_call": True}
    callback.UndertowLogger({}).log_failure_event(refused, None, None, None)
    assert shipped == []


def test_settings_come_from_the_environment(callback: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Brokers as Undertow's own configuration names them, the rest under `litellm`."""
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(callback.kafka, "KafkaProducer", lambda **options: made.append(options))
    environ = {
        "UNDERTOW_KAFKA__BOOTSTRAP_SERVERS": "a:1,b:2",
        "UNDERTOW_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
        "UNDERTOW_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
        "UNDERTOW_KAFKA__SASL_USERNAME": "me",
        "UNDERTOW_KAFKA__SASL_PASSWORD": "secret",
        "UNDERTOW_LITELLM__SEND_TEXT": "true",
    }
    logger = callback.UndertowLogger(environ)
    logger._producer()
    assert logger.config == callback.LitellmConfig(topic="llm_requests", send_text=True)
    assert (made[0]["acks"], made[0]["enable_idempotence"], made[0]["compression_type"]) == ("all", True, "lz4")
    assert (made[0]["bootstrap_servers"], made[0]["sasl_plain_password"]) == (["a:1", "b:2"], "secret")


def test_a_wrong_setting_is_told_by_its_name(callback: ModuleType) -> None:
    """It keeps the proxy from starting, which is when somebody looks."""
    with pytest.raises(ConfigError, match="UNDERTOW_LITELLM__SEND_TEXT"):
        callback.UndertowLogger({"UNDERTOW_LITELLM__SEND_TEXT": "perhaps"})
    with pytest.raises(ConfigError, match="UNDERTOW_LITELLM__TOPICS"):
        callback.UndertowLogger({"UNDERTOW_LITELLM__TOPICS": "x"})


def test_the_guide_says_what_the_tests_run(callback: ModuleType) -> None:
    """docs/shipping.md shows the example that the real proxy is run with, and names each setting."""
    guide = (ROOT / "docs" / "shipping.md").read_text()
    example = (ROOT / "docs" / "examples" / "litellm.yaml").read_text()
    assert f"```yaml\n{example}```" in guide
    assert all(f"`UNDERTOW_LITELLM__{name.upper()}`" in guide for name in callback.LitellmConfig.__struct_fields__)
