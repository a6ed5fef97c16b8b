/**
 * Makes something once for those who come with the same object one after the other, as the readers of a room do. Only
 * the last is remembered: a weak map of all would be walked by every collection.
 */
export function onceInARow<K extends object, V>(make: (key: K) => V): (key: K) => V {
  let last: { readonly key: K; readonly value: V } | undefined;
  return (key) => {
    if (last?.key !== key) last = { key, value: make(key) };
    return last.value;
  };
}
