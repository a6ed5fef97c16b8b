interface Events {
  /** The beginning of what is held is near. */
  readonly onTop: () => void;
  readonly onEnd: (isAtEnd: boolean) => void;
}

/** So near to an end counts as at it. */
const NEAR_END_PX = 40;
/** More is asked for before one gets there. */
const NEAR_TOP_PX = 400;

/** Keeps what one reads where it is while things come above and below it, and stays at the end when one is there. */
export class ScrollKeeper {
  #box: HTMLElement | undefined;
  #events: Events | undefined;
  #isAtEnd = true;
  #hasBegun = false;
  /** A message that is on screen, and where. */
  #anchor: { readonly id: string; readonly top: number } | undefined;

  attach(box: HTMLElement, events: Events): () => void {
    this.#box = box;
    this.#events = events;
    const onScroll = (): void => this.#note();
    const sizes = new ResizeObserver(() => this.restore());
    box.addEventListener("scroll", onScroll, { passive: true });
    sizes.observe(box);
    return () => {
      box.removeEventListener("scroll", onScroll);
      sizes.disconnect();
    };
  }

  /** After every change of what is in the box. */
  restore(): void {
    const box = this.#box;
    if (!box) return;
    if (!this.#hasBegun) this.#begin(box);
    else if (this.#isAtEnd) box.scrollTop = box.scrollHeight;
    else if (this.#anchor) {
      const element = box.querySelector<HTMLElement>(`[data-id="${this.#anchor.id}"]`);
      if (element) box.scrollTop += topIn(box, element) - this.#anchor.top;
    }
    this.#note();
  }

  toEnd(): void {
    if (!this.#box) return;
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#note();
  }

  /** One begins to read where one has stopped, else at the end. */
  #begin(box: HTMLElement): void {
    this.#hasBegun = true;
    const unread = box.querySelector<HTMLElement>(".new-from-here");
    if (unread) box.scrollTop += topIn(box, unread) - box.clientHeight / 4;
    else box.scrollTop = box.scrollHeight;
  }

  #note(): void {
    const box = this.#box;
    if (!box) return;
    const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PX;
    if (isAtEnd !== this.#isAtEnd) this.#events?.onEnd(isAtEnd);
    this.#isAtEnd = isAtEnd;
    this.#anchor = anchorIn(box);
    if (box.scrollTop < NEAR_TOP_PX) this.#events?.onTop();
  }
}

const topIn = (box: HTMLElement, element: HTMLElement): number =>
  element.getBoundingClientRect().top - box.getBoundingClientRect().top;

/** The first message that can be seen; found by halving, because there may be thousands. */
function anchorIn(box: HTMLElement): { id: string; top: number } | undefined {
  const rows = box.querySelectorAll<HTMLElement>("[data-id]");
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (topIn(box, rows[middle]!) < 0) low = middle + 1;
    else high = middle;
  }
  const element = rows[low];
  return element && { id: element.dataset["id"]!, top: topIn(box, element) };
}
