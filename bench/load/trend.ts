/** A figure at a moment. */
export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

export interface Trend {
  /** The line through the samples, at the first and at the last of them. */
  readonly from: number;
  readonly to: number;
  readonly perMinute: number;
}

/** The straight line that lies closest to the samples. */
export function trendOf(samples: readonly Sample[]): Trend {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = mean(samples.map(({ atMs }) => atMs));
  const level = mean(samples.map(({ value }) => value));
  const spread = mean(samples.map(({ atMs }) => (atMs - middle) ** 2));
  const along = mean(samples.map(({ atMs, value }) => (atMs - middle) * (value - level)));
  const perMs = spread === 0 ? 0 : along / spread;
  const at = ({ atMs }: Sample): number => level + perMs * (atMs - middle);
  return { from: at(samples[0]!), to: at(samples.at(-1)!), perMinute: perMs * 60_000 };
}

/** The least of each of so many stretches of time: memory that a garbage collection gives back is not held. */
export function floors(samples: readonly Sample[], stretches: number): Sample[] {
  const size = Math.ceil(samples.length / stretches);
  const parts = Array.from({ length: Math.ceil(samples.length / size) }, (_, i) =>
    samples.slice(i * size, (i + 1) * size),
  );
  return parts.map((part) => part.reduce((least, sample) => (sample.value < least.value ? sample : least)));
}
