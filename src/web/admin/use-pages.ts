import { useEffect, useRef, useState } from "preact/hooks";
import type { Problem } from "../../client/index.ts";
import { problemOf } from "../client.ts";
import type { Page } from "./api.ts";

export interface Pages<T> {
  /** Undefined until the first page has come. */
  readonly items: readonly T[] | undefined;
  readonly problem: Problem | undefined;
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  more(): void;
  again(): void;
}

const nothing = { items: [], next: null };

/** A list that is read page by page; it begins anew when `key` changes, and shows the old one until the new is there. */
export function usePages<T>(load: (after: string | undefined) => Promise<Page<T>>, key: unknown): Pages<T> {
  const [loaded, setLoaded] = useState<Page<T>>();
  const [problem, setProblem] = useState<Problem>();
  const [isLoading, setLoading] = useState(true);
  const turn = useRef(0);
  const read = async (before: Page<T> = nothing, least = 0): Promise<void> => {
    const mine = ++turn.current;
    setLoading(true);
    setProblem(undefined);
    try {
      let { items, next } = before;
      do {
        const page = await load(next ?? undefined);
        // Who has typed on meanwhile wants the answer to that.
        if (mine !== turn.current) return;
        items = [...items, ...page.items];
        next = page.next;
      } while (next && items.length < least);
      setLoaded({ items, next });
    } catch (error) {
      if (mine === turn.current) setProblem(problemOf(error));
    } finally {
      if (mine === turn.current) setLoading(false);
    }
  };
  useEffect(() => {
    void read();
    return () => void turn.current++;
  }, [key]);
  return {
    items: loaded?.items,
    problem,
    hasMore: Boolean(loaded?.next),
    isLoading,
    more: () => void read(loaded),
    // As far as one had got: whoever deletes one thing after the other stays where they are.
    again: () => void read(nothing, loaded?.items.length),
  };
}

/** One thing instead of a list. */
export function useOne<T>(load: () => Promise<T>, key: unknown) {
  const pages = usePages<T>(async () => ({ items: [await load()], next: null }), key);
  return { one: pages.items?.[0], problem: pages.problem, again: pages.again };
}
