import type { Span } from "@opentelemetry/api";
import type { Telemetry } from "bullmq";
import type { Closers } from "../closers.ts";
import type { Env } from "../env.ts";
import type { Logger } from "../logger.ts";

/** What is told to a collector of traces. Where there is none, there is nothing: whoever has something to tell looks. */
export interface Tracing {
  /** For BullMQ, whose jobs carry the trace that they were added in. */
  readonly telemetry: Telemetry;
  /** Something that somebody asked of us: goes on with the trace that their headers name. */
  serve<T>(name: string, headers: Readonly<Record<string, unknown>>, work: (span: Span) => Promise<T>): Promise<T>;
  /** A statement of the trace that it is asked in; what we ask for ourselves is not traced. */
  statement<T>(name: string, text: string | undefined, ask: () => Promise<T>): Promise<T>;
  /** The trace that is active here, as a job takes it along that travels with others. */
  carry(): string | undefined;
  /** Does it in that trace; in none, if there was none. */
  within<T>(carried: string | undefined, work: () => T): T;
  /** The trace that is active here, for `batch`. */
  active(): unknown;
  /**
   * What is done for several traces at once: a part of the first, linked with the others, and in each of those a span
   * that is linked with it.
   */
  batch<T>(of: readonly unknown[], work: () => Promise<T>): Promise<T>;
}

interface TracingOptions {
  readonly env: Env;
  readonly log: Logger;
  readonly closers: Closers;
  /** Unless the environment says another. */
  readonly service: string;
}

/** Nothing of OpenTelemetry's SDK is loaded where nobody wants to have traces. */
export async function openTracing(options: TracingOptions): Promise<Tracing | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = options.env;
  if (endpoint === undefined) return undefined;
  const { startTracing } = await import("./open-telemetry.ts");
  const { tracing, stop } = startTracing({ ...options, endpoint });
  options.closers.add("tracing", stop);
  return tracing;
}
