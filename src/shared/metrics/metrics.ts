import { Counter, Gauge, type Metric, Registry } from "prom-client";
import { within } from "../within.ts";
import { processFigures } from "./process-figures.ts";
import type { TimingSample, Timings } from "./timings.ts";

/** A figure with its labels; none stands for a figure without labels. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];
/** Undefined where it can't be had now: it is then left out. */
type Read<T> = () => T | undefined | Promise<T | undefined>;

interface Named {
  readonly name: string;
  readonly help: string;
}

/** Whoever scrapes gives up after some seconds; one figure that is late must not cost all the others. */
const READ_WITHIN_MS = 1_000;

/**
 * What a process tells Prometheus. Whoever counts something keeps a plain number, and what is registered here reads it
 * when somebody looks: counting costs an addition. One for each system: tests run several in one process.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly contentType = this.#registry.contentType;

  /** Of what only grows. */
  counter({
    labels = [],
    read,
    ...named
  }: Named & { labels?: readonly string[]; read: Read<readonly Sample[]> }): void {
    const registers = [this.#registry];
    const counter: Counter = new Counter({
      ...named,
      labelNames: labels,
      registers,
      collect: () => refill(counter, read),
    });
  }

  /** Of what goes up and down. */
  gauge({ labels = [], read, ...named }: Named & { labels?: readonly string[]; read: Read<readonly Sample[]> }): void {
    const registers = [this.#registry];
    const gauge: Gauge = new Gauge({ ...named, labelNames: labels, registers, collect: () => refill(gauge, read) });
  }

  /** Of how long something takes, or how large it is. */
  histogram({ name, help, timings }: Named & { timings: Timings }): void {
    this.#register({ name, help }, () => timings.samples(name));
  }

  /** The same by one label. */
  histograms({ name, help, label, timings }: Named & { label: string; timings: ReadonlyMap<string, Timings> }): void {
    this.#register({ name, help }, () => [...timings].flatMap(([key, each]) => each.samples(name, { [label]: key })));
  }

  /** All of it as Prometheus reads it. */
  async text(): Promise<string> {
    const [own, process] = await Promise.all([this.#registry.metrics(), processFigures().metrics()]);
    return `${own}\n${process}`;
  }

  #register(named: Named, values: () => readonly TimingSample[]): void {
    const get = async () => ({ ...named, type: "histogram", aggregator: "sum", values: values() });
    this.#registry.registerMetric({ ...named, get } as unknown as Metric);
  }
}

/** Read first and changed second, in one go: two who look at once see the same. */
async function refill(metric: Counter | Gauge, read: Read<readonly Sample[]>): Promise<void> {
  const samples = await within(READ_WITHIN_MS, (async () => read())()).catch(() => undefined);
  metric.reset();
  // Without labels there is a zero after that, which nobody has counted.
  metric.remove({});
  for (const [labels, value] of samples ?? []) metric.inc(labels, value);
}

/** A figure without labels. */
export const one = (value: number): readonly Sample[] => [[{}, value]];

/** `{ data: 3, timeout: 1 }` as figures with one label. */
export const by = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(counts).map(([key, value]) => [{ [label]: key }, value]);
