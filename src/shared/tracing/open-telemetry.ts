import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Env } from "../env.ts";
import type { Logger } from "../logger.ts";
import { within } from "../within.ts";
import { CollectorExporter } from "./collector-exporter.ts";
import { samplerOf } from "./sampler.ts";
import { createTracing } from "./spans.ts";
import type { Tracing } from "./tracing.ts";

/** What nobody has fetched by then is given up: a process that stops does not wait for its collector. */
const STOP_MS = 1_500;
/** What is kept meanwhile is lost with a process that is killed. */
const TELL_EVERY_MS = 1_000;

interface Start {
  readonly env: Env;
  readonly log: Logger;
  readonly service: string;
  readonly endpoint: string;
}

/** Once in a process: BullMQ asks OpenTelemetry's globals which trace is active. */
export function startTracing({ env, log, service, endpoint }: Start): { tracing: Tracing; stop: () => Promise<void> } {
  const name = env.OTEL_SERVICE_NAME ?? service;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": name, "process.pid": process.pid }),
    sampler: samplerOf(env),
    spanProcessors: [
      new BatchSpanProcessor({ exporter: new CollectorExporter(endpoint, log), scheduledDelayMillis: TELL_EVERY_MS }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  log.info({ endpoint: new URL(endpoint).origin, service: name, sampler: env.OTEL_TRACES_SAMPLER }, "traces are told");
  const stop = async (): Promise<void> => {
    // A collector that is away has been told of.
    await within(STOP_MS, provider.shutdown()).catch(() => undefined);
  };
  return { tracing: createTracing(), stop };
}
