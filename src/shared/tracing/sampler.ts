import { SpanKind, trace } from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import type { Env } from "../env.ts";

/** By the names that OpenTelemetry gives them; which traces are worth telling. */
export function samplerOf(env: Pick<Env, "OTEL_TRACES_SAMPLER" | "OTEL_TRACES_SAMPLER_ARG">): Sampler {
  const { OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: ratio } = env;
  const root = rootOf(name, ratio);
  return withoutChores(name.startsWith("parentbased_") ? new ParentBasedSampler({ root }) : root);
}

function rootOf(name: Env["OTEL_TRACES_SAMPLER"], ratio: number): Sampler {
  if (name.endsWith("always_off")) return new AlwaysOffSampler();
  return name.endsWith("traceidratio") ? new TraceIdRatioBasedSampler(ratio) : new AlwaysOnSampler();
}

/** A worker looks for jobs all day long: of what belongs to no request and no job there is nothing to tell. */
const withoutChores = (sampler: Sampler): Sampler => ({
  shouldSample(parent, ...what) {
    const [, , kind] = what;
    if (kind === SpanKind.INTERNAL && !trace.getSpanContext(parent)) return { decision: SamplingDecision.NOT_RECORD };
    return sampler.shouldSample(parent, ...what);
  },
  toString: () => `WithoutChores{${sampler}}`,
});
