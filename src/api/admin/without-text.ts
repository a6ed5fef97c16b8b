/** A job's data as who looks after the queue sees it: they need not read what people say to each other. */
export function withoutText(data: unknown): unknown {
  if (typeof data !== "object" || data === null) return data;
  if ("sends" in data && Array.isArray(data.sends)) return { ...data, sends: data.sends.map(withoutText) };
  return "text" in data ? { ...data, text: `(${String(data.text).length} characters)` } : data;
}
