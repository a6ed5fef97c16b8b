import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./icons.tsx";

const open = signal<ComponentChildren>(undefined);

export function openDialog(content: ComponentChildren): void {
  open.value = content;
}

export function closeDialog(): void {
  open.value = undefined;
}

/** Where the one dialog is that may be open. */
export const DialogPlace = () => <>{open.value}</>;

/** The browser keeps the focus inside, closes it on Escape, and gives the focus back. */
export function Dialog({ title, children }: { title: string; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: by keyboard it is closed with Escape
    <dialog ref={dialog} class="dialog" aria-labelledby={id} onClose={closeDialog} onClick={closeOutside}>
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" class="icon-button" aria-label="Close" onClick={closeDialog}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}

/** A click beside the dialog is one on the dialog itself, and not on anything in it. */
function closeOutside(event: MouseEvent): void {
  if (event.target === event.currentTarget) closeDialog();
}
