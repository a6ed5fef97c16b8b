import { ExportResultCode } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Logger } from "../logger.ts";

const EXPORT_WITHIN_MS = 10_000;

/** Sends spans to a collector. One that is away is told of once, and costs the spans of that time. */
export class CollectorExporter implements SpanExporter {
  readonly #exporter: OTLPTraceExporter;
  readonly #log: Logger;
  #isAway = false;

  constructor(endpoint: string, log: Logger) {
    const url = `${endpoint.replace(/\/+$/, "")}/v1/traces`;
    this.#exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_WITHIN_MS });
    this.#log = log;
  }

  export(...[spans, done]: Parameters<SpanExporter["export"]>): void {
    this.#exporter.export(spans, (result) => {
      this.#tell(result.code === ExportResultCode.SUCCESS ? undefined : (result.error?.message ?? "no answer"));
      // Whatever came of it: what is told has been told here.
      done({ code: ExportResultCode.SUCCESS });
    });
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  #tell(reason: string | undefined): void {
    const isAway = reason !== undefined;
    if (isAway && !this.#isAway) this.#log.warn({ reason }, "traces can't be told to the collector");
    if (!isAway && this.#isAway) this.#log.info("traces are told to the collector again");
    this.#isAway = isAway;
  }
}
