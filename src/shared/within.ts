/** Nobody answered in time. The code is that of a socket on which nobody answers: who asks for one means the other. */
export class NoAnswer extends Error {
  readonly code = "ETIMEDOUT";
}

/** What the work comes to, or an error when that takes too long; the work itself goes on. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswer(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
