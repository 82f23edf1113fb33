// The calls of an application that uses OpenAI's client for Node.js.
"use strict";

const ASK = [{ role: "user", content: "What is the largest city of Peru?" }];
const USAGE = { include_usage: true };
const PLACE = { type: "object", properties: { place: { type: "string" } } };
const TOOLS = ["weather", "clock"].map((name) => ({
  type: "function",
  function: { name, description: name, parameters: PLACE },
}));

async function drain(answer) {
  if (answer && answer[Symbol.asyncIterator]) for await (const _ of answer);
}

exports.calls = (load) => {
  const { OpenAI } = load("openai");
  const options = { baseURL: `${process.env.UPSTREAM}/v1`, apiKey: "sk-made-up", maxRetries: 0 };
  const client = new OpenAI(options);
  const hasty = new OpenAI({ ...options, timeout: 750 });
  const patient = new OpenAI({ ...options, maxRetries: 2 });
  const chat =
    (body, by = client) =>
    async (headers) =>
      drain(await by.chat.completions.create({ messages: ASK, ...body }, { headers }));
  const responses = (body) => async (headers) =>
    drain(await client.responses.create({ input: ASK[0].content, ...body }, { headers }));
  const embed = (body) => async (headers) =>
    client.embeddings.create({ model: "text-embedding-3-small", ...body }, { headers });
  return [
    ["plain", chat({ model: "gpt-4o" })],
    ["plain", chat({ model: "gpt-4o-mini", temperature: 0.2, max_tokens: 256 })],
    ["length", chat({ model: "gpt-4o-mini", max_tokens: 16 })],
    ["tool", chat({ model: "gpt-4o", tools: TOOLS })],
    ["tools", chat({ model: "gpt-4o", tools: TOOLS, temperature: 0 })],
    ["json", chat({ model: "gpt-4o-mini", response_format: { type: "json_object" } })],
    ["cached", chat({ model: "gpt-4o" })],
    ["reasoning", chat({ model: "o3-mini" })],
    ["plain", chat({ model: "gpt-4o", stream: true, stream_options: USAGE })],
    ["plain", chat({ model: "gpt-4o-mini", stream: true })],
    ["tools", chat({ model: "gpt-4o", stream: true, stream_options: USAGE, tools: TOOLS })],
    ["plain", embed({ input: "one text" })],
    ["plain", responses({ model: "gpt-4o" })],
    ["reasoning", responses({ model: "o3-mini" })],
    ["plain", responses({ model: "gpt-4o", stream: true })],
    ["plain 429", chat({ model: "gpt-4o" })],
    ["plain 500", chat({ model: "gpt-4o-mini" })],
    ["plain 400", chat({ model: "o3-mini" })],
    ["plain slow", chat({ model: "gpt-4o" }, hasty)],
    ["plain 429-once", chat({ model: "gpt-4o-mini" }, patient)],
    ["plain 429", embed({ input: "one text" })],
  ];
};
