// The calls of an application that uses Vercel's AI SDK, its telemetry on: each is a span with another below it.
"use strict";

const PROMPT = "What is the largest city of Peru?";
const TOLD = { isEnabled: true };

exports.calls = (load) => {
  const { generateText, streamText, generateObject, embed, jsonSchema, tool } = load("ai");
  const openai = load("@ai-sdk/openai").createOpenAI({ baseURL: `${process.env.UPSTREAM}/v1`, apiKey: "sk-made-up" });
  const anthropic = load("@ai-sdk/anthropic").createAnthropic({
    baseURL: process.env.UPSTREAM,
    apiKey: "sk-made-up",
  });
  const schema = jsonSchema({
    type: "object",
    properties: { city: { type: "string" }, millions: { type: "number" } },
    required: ["city", "millions"],
    additionalProperties: false,
  });
  const tools = { weather: tool({ description: "weather", inputSchema: jsonSchema({ type: "object" }) }) };
  const text = (model, more) => async (headers) =>
    generateText({ model, prompt: PROMPT, headers, maxRetries: 0, experimental_telemetry: TOLD, ...more });
  const stream = (model, more) => async (headers) => {
    const failed = [];
    const onError = ({ error }) => failed.push(error);
    const found = streamText({
      model,
      prompt: PROMPT,
      headers,
      maxRetries: 0,
      onError,
      experimental_telemetry: TOLD,
      ...more,
    });
    for await (const _ of found.textStream);
    if (failed.length) throw failed[0];
  };
  const object = (model) => async (headers) =>
    generateObject({ model, schema, prompt: PROMPT, headers, maxRetries: 0, experimental_telemetry: TOLD });
  const chat = openai.chat("gpt-4o");
  const small = openai.chat("gpt-4o-mini");
  const sonnet = anthropic("claude-sonnet-4-0");
  const vector = openai.textEmbeddingModel("text-embedding-3-small");
  return [
    ["plain", text(chat)],
    ["plain", text(small, { temperature: 0.2, maxOutputTokens: 256 })],
    ["length", text(small, { maxOutputTokens: 16 })],
    ["tool", text(chat, { tools })],
    ["json", object(chat)],
    ["cached", text(chat)],
    ["reasoning", text(openai.chat("o3-mini"))],
    ["plain", text(openai("gpt-4o"))],
    ["plain", text(sonnet)],
    ["cached", text(sonnet)],
    ["plain", stream(chat)],
    ["plain", stream(sonnet)],
    [
      "plain",
      async (headers) =>
        embed({ model: vector, value: "one text", headers, maxRetries: 0, experimental_telemetry: TOLD }),
    ],
    ["plain 429", text(chat)],
    ["plain 500", text(sonnet)],
    ["plain 400", text(small)],
  ];
};
