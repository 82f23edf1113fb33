#!/bin/sh
# MLflow 3.17.2 autologging openai 3.51.0: the answer that its span has of a stream leaves out calls of tools, and ends
# with finish_reason "stop" where usage was asked for, whose chunk is the last one and has no choice.
#
# Seen: a stream that calls a tool, ends with "tool_calls" and then tells its usage becomes, in mlflow.spanOutputs,
#   finish_reason stop, content '', tool_calls None
# A model that begins to run into its limit, or to call tools, does not show there. The chunks stand beside it as events
# of the span, whole and right.
#
# Runs the two libraries on a stream of a server on loopback; fails where what it sees is something else.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 openai==3.51.0 numpy==2.3.5 pandas==2.3.3
cd "$folder"
MLFLOW_TRACKING_URI="file:$folder/runs" MLFLOW_ALLOW_FILE_STORE=true "$folder/venv/bin/python" - <<'PYTHON'
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
DELTAS = [({"role": "assistant", "content": None}, None), ({"tool_calls": [CALL]}, None), ({}, "tool_calls")]


class Stream(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for delta, reason in DELTAS:
            self.send([{"index": 0, "delta": delta, "finish_reason": reason}], None)
        self.send([], {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18})
        self.wfile.write(b"data: [DONE]\n\n")

    def send(self, choices, usage):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        self.wfile.write(f"data: {json.dumps(chunk | {'choices': choices, 'usage': usage})}\n\n".encode())

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Stream)
threading.Thread(target=server.serve_forever, daemon=True).start()

import mlflow
import openai
from mlflow.entities.span import LiveSpan

seen = []
end = LiveSpan.end


def look(span, *given, **named):
    end(span, *given, **named)
    seen.append((span.outputs, len(span.events)))


LiveSpan.end = look
mlflow.openai.autolog()
client = openai.OpenAI(api_key="x", base_url=f"http://127.0.0.1:{server.server_port}/v1")
asked = {"model": "m", "messages": [{"role": "user", "content": "Rain?"}], "stream": True}
stream = client.chat.completions.create(**asked, stream_options={"include_usage": True})
reasons = [choice.finish_reason for chunk in stream for choice in chunk.choices]
outputs, chunks = seen[-1]
choice = outputs["choices"][0]
print("the stream said", reasons[-1], "- MLflow says", choice["finish_reason"], "after", chunks, "chunks:", choice["message"])
told = (reasons[-1], choice["finish_reason"], choice["message"]["tool_calls"], chunks)
sys.exit(told != ("tool_calls", "stop", None, 4))
PYTHON
