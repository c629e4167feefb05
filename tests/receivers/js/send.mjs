// Sends the same trace through every exporter of the JS SDK; prints what it sent as JSON.
import { createRequire } from "node:module";

// the packages stand in a cache folder, not beside this file
const require = createRequire(process.env.MODULES + "/");
const { SpanKind, SpanStatusCode, trace, ROOT_CONTEXT } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BasicTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { OTLPTraceExporter: OverJson } = require("@opentelemetry/exporter-trace-otlp-http");
const { OTLPTraceExporter: OverProto } = require("@opentelemetry/exporter-trace-otlp-proto");
const { OTLPTraceExporter: OverGrpc } = require("@opentelemetry/exporter-trace-otlp-grpc");
const { ZipkinExporter } = require("@opentelemetry/exporter-zipkin");

const { HTTP, GRPC, ZIPKIN } = process.env;
const url = `${HTTP}/v1/traces`;
const exporters = {
  "js-json": new OverJson({ url }),
  "js-json-gzip": new OverJson({ url, compression: "gzip" }),
  "js-proto": new OverProto({ url }),
  "js-proto-gzip": new OverProto({ url, compression: "gzip" }),
  "js-grpc": new OverGrpc({ url: `http://${GRPC}` }),
  "js-grpc-gzip": new OverGrpc({ url: `http://${GRPC}`, compression: "gzip" }),
  "js-zipkin": new ZipkinExporter({ url: `${ZIPKIN}/api/v2/spans` }),
};

const ns = ([seconds, rest]) => String(BigInt(seconds) * 1_000_000_000n + BigInt(rest));
const sent = [];
for (const [service, exporter] of Object.entries(exporters)) {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": service }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer("test", "1.0");
  const publish = tracer.startSpan("publish ünï", { kind: SpanKind.PRODUCER }, ROOT_CONTEXT);
  publish.setAttributes({
    "messaging.system": "kafka",
    "messaging.destination.name": "orders.placed",
    "messaging.message.id": `m-${service}`,
    "order.lines": 3,
    "order.total": 19.5,
    "order.gift": true,
  });
  publish.addEvent("accepted", { by: "shop" });
  publish.end();
  const below = trace.setSpan(ROOT_CONTEXT, publish);
  const consume = tracer.startSpan(
    "process",
    { kind: SpanKind.CONSUMER, links: [{ context: publish.spanContext() }] },
    below,
  );
  consume.setStatus({ code: SpanStatusCode.ERROR, message: "no stock" });
  consume.end();
  for (const span of [publish, consume]) {
    const { traceId, spanId } = span.spanContext();
    const parent = span.parentSpanContext?.spanId ?? "";
    sent.push({ service, name: span.name, traceId, spanId, parent, start: ns(span.startTime), end: ns(span.endTime) });
  }
  await provider.shutdown();
}
process.stdout.write(JSON.stringify(sent));
