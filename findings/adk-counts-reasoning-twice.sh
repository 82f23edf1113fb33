#!/usr/bin/env bash
# Google's ADK for Python 2.13.0 with a model through LiteLLM 1.110.2: the span of a call counts reasoning tokens twice.
# OpenAI's `completion_tokens` include them; ADK takes these for Gemini's candidates, which do not, and adds reasoning
# again. An answer of 7 tokens, 2 of them reasoning, has gen_ai.usage.output_tokens 9.
#
# Seen on 30 November 2026: "the provider said 7, 2 of them reasoning; the span says 9". Exits 1 if it is otherwise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check google-adk==2.13.0 litellm==1.110.2
cat > "$folder/try.py" <<'PY'
import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from google.adk.agents import LlmAgent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.genai import types
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SAID = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18, "completion_tokens_details": {"reasoning_tokens": 2}}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Lima."}, "finish_reason": "stop"}
ANSWER = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "o3-mini", "choices": [CHOICE], "usage": SAID}


class Provider(BaseHTTPRequestHandler):
    """Answers every request alike."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


async def ask(url: str) -> None:
    model = LiteLlm(model="openai/o3-mini", api_base=url, api_key="made-up")
    runner = InMemoryRunner(LlmAgent(name="bot", model=model), app_name="try")
    session = await runner.session_service.create_session(app_name="try", user_id="someone")
    question = types.Content(role="user", parts=[types.Part(text="What is the largest city of Peru?")])
    async for _ in runner.run_async(user_id="someone", session_id=session.id, new_message=question):
        pass


kept, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
server = HTTPServer(("127.0.0.1", 0), Provider)
threading.Thread(target=server.serve_forever, daemon=True).start()
asyncio.run(ask(f"http://127.0.0.1:{server.server_port}/v1"))
(call,) = [span.attributes for span in kept.get_finished_spans() if span.name.startswith("generate_content")]
output, reasoning = call["gen_ai.usage.output_tokens"], call["gen_ai.usage.reasoning.output_tokens"]
print(f"the provider said 7, 2 of them reasoning; the span says {output}")
sys.exit(0 if (output, reasoning) == (9, 2) else 1)
PY
HF_HUB_OFFLINE=1 LITELLM_LOCAL_MODEL_COST_MAP=True "$folder/venv/bin/python" "$folder/try.py" 2> "$folder/errors" || { cat "$folder/errors"; exit 1; }
