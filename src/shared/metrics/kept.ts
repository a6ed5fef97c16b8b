/** Asks at most once in so many ms, however often it is asked; what failed is asked again. */
export function kept<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let asked: { readonly answer: Promise<T>; readonly until: number } | undefined;
  return () => {
    if (asked && performance.now() < asked.until) return asked.answer;
    const answer = ask();
    const mine = { answer, until: performance.now() + ms };
    asked = mine;
    answer.catch(() => {
      if (asked === mine) asked = undefined;
    });
    return answer;
  };
}
