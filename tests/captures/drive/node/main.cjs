// Drives one instrumentation under Node.js: `main.cjs INSTRUMENTATION`, with the packages of the folder it runs in.
"use strict";

const { createRequire } = require("node:module");
const { join } = require("node:path");
const load = createRequire(join(process.cwd(), "package.json"));

const { NodeSDK } = load("@opentelemetry/sdk-node");
const { OTLPTraceExporter } = load("@opentelemetry/exporter-trace-otlp-http"); // which sends JSON

const INSTRUMENTATIONS = {
  openinference: () => [new (load("@arizeai/openinference-instrumentation-openai").OpenAIInstrumentation)()],
  traceloop: () => [new (load("@traceloop/instrumentation-openai").OpenAIInstrumentation)()],
  vercel: () => [],
};

const outcome = (text) => text.split(" ")[1] || "";

// Make the calls one after the other; what they throw is what was asked for.
async function run(calls) {
  for (const [at, [kind, call]] of calls.entries()) {
    const fault = outcome(kind);
    const wanted = Boolean(fault) && !fault.endsWith("-once");
    let failed = null;
    try {
      await call({ "x-call": `${at + 1} ${kind}` });
    } catch (error) {
      failed = error;
    }
    if (Boolean(failed) !== wanted) throw failed || new Error(`call ${at + 1} did not fail`);
  }
}

async function main() {
  const name = process.argv[2];
  const sdk = new NodeSDK({ traceExporter: new OTLPTraceExporter(), instrumentations: INSTRUMENTATIONS[name]() });
  sdk.start();
  const { calls } = require(name === "vercel" ? "./vercel.cjs" : "./openai.cjs");
  await run(calls(load));
  await sdk.shutdown();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
