/** Looked at again this often while it comes into view: of one that is taller than the screen half a screen is enough. */
const thresholds = Array.from({ length: 11 }, (_, i) => i / 10);

/** Tells the seq of every message that somebody can see: on screen, in a page that is visible. */
export function watchSeen(box: HTMLElement, onSeen: (seq: number) => void): () => void {
  const onScreen = new Set<Element>();
  const tell = (): void => {
    if (document.visibilityState !== "visible" || onScreen.size === 0) return;
    onSeen(Math.max(...[...onScreen].map((row) => Number((row as HTMLElement).dataset["seq"]))));
  };
  const sight = new IntersectionObserver(
    (changes) => {
      for (const { target, isIntersecting, intersectionRatio, intersectionRect, rootBounds } of changes) {
        const fills = rootBounds !== null && intersectionRect.height >= rootBounds.height / 2;
        if (isIntersecting && (intersectionRatio >= 0.5 || fills)) onScreen.add(target);
        else onScreen.delete(target);
      }
      tell();
    },
    { root: box, threshold: thresholds },
  );
  const watched = new WeakSet<Element>();
  const watch = (): void => {
    for (const row of box.querySelectorAll("[data-seq]")) {
      if (watched.has(row)) continue;
      watched.add(row);
      sight.observe(row);
    }
  };
  const rows = new MutationObserver(watch);
  rows.observe(box, { childList: true, subtree: true });
  document.addEventListener("visibilitychange", tell);
  watch();
  return () => {
    sight.disconnect();
    rows.disconnect();
    document.removeEventListener("visibilitychange", tell);
  };
}
