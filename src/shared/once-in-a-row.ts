/**
 * Makes something once for those who come with the same object one after the other, as the readers of a room do. Only
 * the last is remembered: a weak map of all would be walked by every collection. What is given besides it may be another
 * for everybody.
 */
export function onceInARow<K extends object, V, Besides = void>(
  make: (key: K, besides: Besides) => V,
): (key: K, besides: Besides) => V {
  let last: { readonly key: K; readonly besides: Besides; readonly value: V } | undefined;
  return (key, besides) => {
    if (last?.key !== key || last.besides !== besides) last = { key, besides, value: make(key, besides) };
    return last.value;
  };
}
