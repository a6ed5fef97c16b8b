import {
  type Context,
  context,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { BullMQOtel } from "bullmq-otel";
import { sqlState } from "../db/database.ts";
import type { Tracing } from "./tracing.ts";

/** As many links as a span may have. */
const MOST_LINKS = 128;

export function createTracing(): Tracing {
  const tracer = trace.getTracer("parley");

  /** Ends with the work; of what failed it says no more than what kind of failure it was. */
  async function during<T>(span: Span, under: Context, work: () => Promise<T>): Promise<T> {
    try {
      return await context.with(trace.setSpan(under, span), work);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: kindOf(error) });
      throw error;
    } finally {
      span.end();
    }
  }

  return {
    telemetry: new BullMQOtel({ tracerName: "bullmq" }),
    serve(name, headers, work) {
      const under = propagation.extract(ROOT_CONTEXT, headers);
      const span = tracer.startSpan(name, { kind: SpanKind.SERVER }, under);
      return during(span, under, () => work(span));
    },
    statement(name, text, ask) {
      const under = context.active();
      if (!trace.getSpan(under)?.isRecording()) return ask();
      const attributes = { "db.system.name": "postgresql", ...(text !== undefined && { "db.query.text": text }) };
      return during(tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, under), under, ask);
    },
    carry() {
      const carrier: { traceparent?: string } = {};
      propagation.inject(context.active(), carrier);
      return carrier.traceparent;
    },
    within: (traceparent, work) =>
      context.with(traceparent ? propagation.extract(ROOT_CONTEXT, { traceparent }) : ROOT_CONTEXT, work),
    active: () => context.active(),
    async batch(of, work) {
      const [first, ...others] = distinct(of as readonly Context[]);
      if (!first) return context.with(ROOT_CONTEXT, work);
      const startTime = Date.now();
      const links = others.slice(0, MOST_LINKS).map((other) => ({ context: trace.getSpanContext(other)! }));
      const attributes = { "parley.batch.jobs": of.length };
      const span = tracer.startSpan("store batch", { attributes, links }, first);
      try {
        return await during(span, first, work);
      } finally {
        const there = { startTime, attributes, links: [{ context: span.spanContext() }] };
        for (const other of others) tracer.startSpan("store with others", there, other).end();
      }
    },
  };
}

/** Those that are told of, each once. */
function distinct(contexts: readonly Context[]): Context[] {
  const bySpan = new Map<string, Context>();
  for (const one of contexts) {
    const span = trace.getSpanContext(one);
    if (span && isSpanContextValid(span) && span.traceFlags & 1) bySpan.set(span.spanId, one);
  }
  return [...bySpan.values()];
}

const kindOf = (error: unknown): string => sqlState(error) ?? (error instanceof Error ? error.name : "unknown");
