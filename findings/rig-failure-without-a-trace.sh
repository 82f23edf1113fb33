#!/usr/bin/env bash
# rig-core 0.44.0 (Rust crate): the GenAI span of a call that the provider refused (HTTP 429) has no status, no error type
# and no event. It differs from the span of an answered call only in what it lacks: the answer's id, model and tokens.
#
# Seen on 30 November 2026, of two calls, the first answered and the second refused, the spans' fields at their end:
#   chat{gen_ai.operation.name="chat" ... gen_ai.response.id="id-1" gen_ai.usage.input_tokens=11 ...}
#   chat{gen_ai.operation.name="chat" gen_ai.provider.name="openai" ... gen_ai.request.stream=false}
# Exits 1 if the second span says of the failure what it did not then. Needs cargo, and builds for some minutes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "try"
version = "0.1.0"
edition = "2024"

[dependencies]
rig-core = { version = "=0.44.0", default-features = false, features = ["derive", "reqwest"] }
tokio = { version = "1", features = ["macros", "rt"] }
tracing-subscriber = "0.3"

[profile.dev]
debug = false
TOML
cat > "$folder/src/main.rs" <<'RUST'
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use rig_core::completion::CompletionRequest;
use rig_core::providers::openai::OpenAIConfig;
use tracing_subscriber::fmt::format::FmtSpan;

const ANSWER: &str = r#"{"id": "id-1", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [{"index": 0,
 "message": {"role": "assistant", "content": "Lima."}, "finish_reason": "stop"}],
 "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}"#;
const ERROR: &str = r#"{"error": {"type": "rate_limit_error", "message": "slow down", "code": "rate_limit_exceeded"}}"#;

fn serve(listener: TcpListener) {
    for (status, body) in [("200 OK", ANSWER), ("429 Too Many Requests", ERROR)] {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut part = [0; 4096];
        while !asked.ends_with(b"}") {
            let n = stream.read(&mut part).unwrap();
            asked.extend_from_slice(&part[..n]);
        }
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n");
        write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    tracing_subscriber::fmt().with_span_events(FmtSpan::CLOSE).with_ansi(false).without_time().init();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(|| serve(listener));
    let model = OpenAIConfig::new("made-up").with_base_url(url).client().chat("gpt-4o");
    assert!(model.call(CompletionRequest::new("Why?")).await.is_ok());
    assert!(model.call(CompletionRequest::new("Why?")).await.is_err());
}
RUST
cargo run --quiet --manifest-path "$folder/Cargo.toml" > "$folder/out"
cat "$folder/out"
python3 - "$folder/out" <<'PY'
import sys

answered, refused = [line for line in open(sys.argv[1]) if " chat{" in line]  # and no other line: no event
assert "gen_ai.response.id" in answered and "gen_ai.usage.input_tokens=11" in answered, answered
told = [word for word in ("error", "429", "status", "gen_ai.response", "gen_ai.usage") if word in refused.lower()]
print("the refused call tells of", told)
sys.exit(1 if told else 0)
PY
