const MOST = 50_000;

/** How often what was asked for was there already, and how often not. */
export class Lookups {
  hits = 0;
  misses = 0;

  count(hit: boolean): void {
    if (hit) this.hits++;
    else this.misses++;
  }
}

/**
 * Remembers what was loaded until told to forget it. What is forgotten while it is being loaded is not remembered:
 * it may have been read just before the change. Of unknown keys nothing is kept.
 */
export class Memory<K, V> {
  readonly lookups = new Lookups();
  readonly #load: (key: K) => Promise<V | undefined>;
  readonly #known = new Map<K, V>();
  readonly #loading = new Map<K, Promise<V | undefined>>();

  constructor(load: (key: K) => Promise<V | undefined>) {
    this.#load = load;
  }

  get(key: K): Promise<V | undefined> {
    const known = this.#known.get(key);
    this.lookups.count(known !== undefined);
    if (known !== undefined) return Promise.resolve(known);
    return this.#loading.get(key) ?? this.#start(key);
  }

  forget(key: K): void {
    this.#known.delete(key);
    this.#loading.delete(key);
  }

  clear(): void {
    this.#known.clear();
    this.#loading.clear();
  }

  #start(key: K): Promise<V | undefined> {
    const loading = this.#load(key).then(
      (value) => {
        // Forgotten meanwhile, or overtaken by a newer load: it serves those who asked and is not kept.
        if (this.#loading.get(key) === loading) this.#keep(key, value);
        return value;
      },
      (error: unknown) => {
        if (this.#loading.get(key) === loading) this.#loading.delete(key);
        throw error;
      },
    );
    this.#loading.set(key, loading);
    return loading;
  }

  #keep(key: K, value: V | undefined): void {
    this.#loading.delete(key);
    if (value === undefined) return;
    // The oldest goes: a map remembers the order in which it was filled.
    if (this.#known.size >= MOST) this.#known.delete(this.#known.keys().next().value as K);
    this.#known.set(key, value);
  }
}
