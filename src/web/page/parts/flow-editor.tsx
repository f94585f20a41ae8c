/**
 * Writing a flow: completion as one types, and checks by the switch's own parser before anything
 * is changed.
 */
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Completion, FlowCheck, FlowRow } from '../../api/index.js';
import { api, path } from '../live/api.js';
import { useSettled, useTask } from '../live/hooks.js';
import { matchText } from '../pure/flow-text.js';
import { Dialog } from './panel.js';
import { Fault } from './signs.js';

const CHECK_MS = 200;
const COMPLETE_MS = 90;
const CHOICES_MAX = 12;

export function FlowEditor({
  bridge,
  flow,
  old,
  onClose,
}: {
  bridge: string;
  flow: string;
  /** The entry that is edited; it goes if table, priority or match become others. */
  old: FlowRow | null;
  onClose: () => void;
}) {
  const [text, setText] = useState(flow);
  const check = useCheck(text, bridge);
  const save = useTask(async () => {
    const place = `${path('bridges', bridge)}/flows`;
    await api.post(place, { flow: text });
    if (old !== null && !sameEntry(check?.normal ?? text, old)) {
      await api.del(place, { flow: matchText(old), strict: true });
    }
    onClose();
  });
  return (
    <Dialog
      title={old === null ? `Add a flow to ${bridge}` : 'Edit the flow'}
      onClose={onClose}
      wide
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save.run();
        }}
      >
        <FlowInput text={text} onChange={setText} bridge={bridge} fault={check?.ok === false} />
        <CheckNote text={text} check={check} />
        <Fault error={save.error} />
        <div class="bar">
          <span class="soft small">
            <kbd>Tab</kbd> takes the proposal, <kbd>↑</kbd> <kbd>↓</kbd> choose,{' '}
            <kbd>Ctrl Space</kbd> shows them
          </span>
          <span class="grow" />
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={save.busy || check?.ok !== true}>
            {old === null ? 'Add' : 'Save'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Whether the text still names the entry that it came from. */
function sameEntry(normal: string, old: FlowRow): boolean {
  const part = (name: string, none: string): string =>
    new RegExp(`(?:^|[, ])${name}=(\\d+)`).exec(normal)?.[1] ?? none;
  const same =
    part('table', '0') === `${old.table}` && part('priority', '32768') === `${old.priority}`;
  return same && (old.match === '' || normal.includes(old.match));
}

function useCheck(text: string, bridge: string): FlowCheck | null {
  const settled = useSettled(text, CHECK_MS);
  const [check, setCheck] = useState<FlowCheck | null>(null);
  useEffect(() => {
    setCheck(null);
    if (settled.trim() === '') return undefined;
    let current = true;
    api
      .post<FlowCheck>('flows/check', { flow: settled, bridge })
      .then((answer) => current && setCheck(answer))
      .catch((error) => current && setCheck({ ok: false, error: error.message }));
    return () => {
      current = false;
    };
  }, [settled, bridge]);
  return settled === text ? check : null;
}

function CheckNote({ text, check }: { text: string; check: FlowCheck | null }) {
  if (text.trim() === '' || check === null) {
    return (
      <p class="check soft" role="status">
        {text.trim() === ''
          ? 'A match, then actions: ip,nw_dst=10.0.0.2,actions=output:2'
          : 'Checking…'}
      </p>
    );
  }
  if (check.ok) {
    return (
      <div class="check" role="status">
        <span class="sign ok">complete</span> <code>{check.normal}</code>
        {check.warnings?.map((warning) => (
          <p class="soft" key={warning}>
            {warning}
          </p>
        ))}
      </div>
    );
  }
  const { column, length = 1 } = check;
  return (
    <div class="check" role="status">
      <span class="sign bad">not yet</span> {check.error}
      {column === undefined || column >= text.length ? null : (
        <p>
          <code>
            {text.slice(0, column)}
            <span class="underline-fault">{text.slice(column, column + Math.max(1, length))}</span>
            {text.slice(column + Math.max(1, length))}
          </code>
        </p>
      )}
      {check.expected === undefined || check.expected.length === 0 ? null : (
        <p class="soft">Expected: {check.expected.slice(0, CHOICES_MAX).join(', ')}</p>
      )}
    </div>
  );
}

export function FlowInput({
  text,
  onChange,
  bridge,
  fault,
  label = 'Flow',
  rows = 3,
}: {
  text: string;
  onChange: (text: string) => void;
  bridge: string;
  fault: boolean;
  label?: string;
  rows?: number;
}) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [cursor, setCursor] = useState(text.length);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const id = useId();
  const completion = useCompletion(open ? text : null, cursor, bridge);
  const items = open ? (completion?.items.slice(0, CHOICES_MAX) ?? []) : [];
  const chosen = Math.min(at, items.length - 1);

  const take = (index: number): void => {
    if (completion === null) return;
    const { from, to } = completion;
    const next = `${text.slice(0, from)}${items[index].text}${text.slice(to)}`;
    const end = from + items[index].text.length;
    onChange(next);
    setCursor(end);
    setAt(0);
    requestAnimationFrame(() => area.current?.setSelectionRange(end, end));
    area.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === ' ' && event.ctrlKey) setOpen(true);
    else if (items.length === 0) return;
    else if (event.key === 'ArrowDown') setAt((chosen + 1) % items.length);
    else if (event.key === 'ArrowUp') setAt((chosen + items.length - 1) % items.length);
    else if (event.key === 'Tab' && !event.shiftKey) take(chosen);
    else if (event.key === 'Escape') setOpen(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="field whole">
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id}
        ref={area}
        class="mono"
        rows={rows}
        value={text}
        spellcheck={false}
        autocomplete="off"
        role="combobox"
        aria-expanded={items.length > 0}
        aria-controls={`${id}-choices`}
        aria-activedescendant={items.length > 0 ? `${id}-${chosen}` : undefined}
        aria-invalid={fault}
        onInput={(event) => {
          onChange(event.currentTarget.value);
          setCursor(event.currentTarget.selectionStart);
          setAt(0);
          setOpen(true);
        }}
        onSelect={(event) => setCursor(event.currentTarget.selectionStart)}
        onKeyDown={onKeyDown}
      />
      <div
        class={items.length > 0 ? 'choices' : 'sr-only'}
        id={`${id}-choices`}
        role="listbox"
        aria-label="Proposals"
      >
        {items.map((item, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the text field handles the keys
          <div
            key={item.text}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === chosen}
            onClick={() => take(index)}
          >
            <code>{item.text}</code>
            <span class="soft small">{item.detail === '' ? item.kind : item.detail}</span>
          </div>
        ))}
      </div>
    </div>
  );
}

function useCompletion(text: string | null, cursor: number, bridge: string): Completion | null {
  const query = useSettled(text === null ? '' : `${cursor}:${text}`, COMPLETE_MS);
  const [completion, setCompletion] = useState<Completion | null>(null);
  useEffect(() => {
    if (text === null || query !== `${cursor}:${text}`) return undefined;
    let current = true;
    const search = new URLSearchParams({ text, cursor: `${cursor}`, bridge });
    api
      .get<Completion>(`flows/complete?${search}`)
      .then((answer) => current && setCompletion(answer))
      .catch(() => current && setCompletion(null));
    return () => {
      current = false;
    };
  }, [query]);
  return completion;
}
