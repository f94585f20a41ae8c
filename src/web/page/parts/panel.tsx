/**
 * A titled box, and a dialog. The dialog is the browser's own: it keeps the focus, and Escape
 * closes it.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

export function Panel({
  title,
  note,
  tools,
  fill = false,
  flush = false,
  children,
}: {
  title: ComponentChildren;
  note?: ComponentChildren;
  tools?: ComponentChildren;
  fill?: boolean;
  /** No room around the content: tables. */
  flush?: boolean;
  children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class={`panel${fill ? ' fill' : ''}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {note === undefined ? null : <span class="note">{note}</span>}
        {tools === undefined ? null : <span class="grow" />}
        {tools}
      </header>
      {flush ? children : <div class="body">{children}</div>}
    </section>
  );
}

export function Dialog({
  title,
  onClose,
  wide = false,
  children,
}: {
  title: string;
  onClose: () => void;
  wide?: boolean;
  children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    ref.current?.showModal();
    return () => before?.focus();
  }, []);
  return (
    <dialog ref={ref} class={wide ? 'wide' : ''} aria-labelledby={id} onClose={onClose}>
      <header>
        <h1 id={id}>{title}</h1>
        <button type="button" class="quiet" onClick={() => ref.current?.close()}>
          Close
        </button>
      </header>
      <div class="content">{children}</div>
    </dialog>
  );
}
