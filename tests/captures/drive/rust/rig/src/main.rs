//! Calls OpenAI's and Anthropic's APIs through rig-core, and runs two agents of rig-agent; all spans go out over OTLP.
//!
//! The number of a call and what should come of it stand in its prompt, because rig sends no headers of the caller's.

use std::convert::Infallible;
use std::env;

use futures::StreamExt;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rig_agent::prelude::*;
use rig_agent::tool::{Tool, ToolContext};
use rig_core::completion::{CompletionRequest, ToolDefinition};
use rig_core::providers::anthropic::AnthropicConfig;
use rig_core::providers::openai::{OpenAI, OpenAIConfig};
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

struct Weather;

impl Tool for Weather {
    const NAME: &'static str = "weather";
    type Args = Value;
    type Output = String;
    type Error = Infallible;

    fn description(&self) -> String {
        "The weather of a place.".to_owned()
    }

    fn parameters(&self) -> Value {
        json!({"type": "object", "properties": {"place": {"type": "string"}}})
    }

    async fn call(&self, _: &mut ToolContext, _: Value) -> Result<String, Infallible> {
        Ok("x-call: 12 plain".to_owned())
    }
}

fn openai() -> OpenAI {
    OpenAIConfig::new("sk-made-up").with_base_url(format!("{}/v1", env::var("UPSTREAM").unwrap())).client()
}

fn ask(outcome: &str) -> CompletionRequest {
    CompletionRequest::new(format!("x-call: {outcome}")).temperature(0.2)
}

fn with_tool(request: CompletionRequest) -> CompletionRequest {
    request.tool(ToolDefinition::new("weather".try_into().unwrap(), "weather", Weather.parameters()))
}

macro_rules! drain {
    ($model:expr, $request:expr) => {{
        let mut stream = $model.stream($request).unwrap();
        while stream.next().await.is_some() {}
        stream.finish().await
    }};
}

async fn calls() {
    let chat = openai().chat("gpt-4o");
    chat.call(ask("1 plain")).await.unwrap();
    drain!(chat, ask("2 plain")).unwrap();
    chat.call(with_tool(ask("3 tool"))).await.unwrap();
    drain!(chat, with_tool(ask("4 tool"))).unwrap();
    assert!(chat.call(ask("5 plain 429")).await.is_err());
    assert!(chat.call(ask("6 plain 500")).await.is_err());
    assert!(drain!(chat, ask("7 plain cut")).is_err());
    chat.stream(ask("8 plain left")).unwrap().next().await;
    chat.call(ask("9 cached")).await.unwrap();
    chat.call(ask("10 reasoning").max_tokens(2000)).await.unwrap();

    let agent = AgentBuilder::new(openai().chat("gpt-4o-mini")).name("guide").tool(Weather).build();
    agent.prompt("x-call: 11 tool").max_turns(3).await.unwrap();
    assert!(agent.prompt("x-call: 13 plain 429").await.is_err());
    let mut stream = agent.prompt("x-call: 14 plain").stream();
    while stream.next().await.is_some() {}

    let responses = openai().responses("gpt-4o");
    responses.call(ask("15 plain")).await.unwrap();
    drain!(responses, ask("16 plain")).unwrap();
    let upstream = env::var("UPSTREAM").unwrap();
    let messages = AnthropicConfig::new("made-up").with_base_url(upstream).client().completion("claude-sonnet-4-0");
    messages.call(ask("17 cached").max_tokens(512)).await.unwrap();
    drain!(messages, ask("18 plain").max_tokens(512)).unwrap();
    assert!(drain!(messages, ask("19 plain broken").max_tokens(512)).is_err());
    assert!(messages.call(ask("20 plain 529").max_tokens(512)).await.is_err());
}

fn main() {
    let exporter = SpanExporter::builder().with_http().build().unwrap();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("rig"));
    tracing_subscriber::registry().with(LevelFilter::INFO).with(layer).init();
    tokio::runtime::Runtime::new().unwrap().block_on(calls());
    provider.shutdown().unwrap();
}
