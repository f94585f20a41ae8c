/**
 * Small pieces that say one thing: a state, a share, a figure, an error.
 */
import type { ComponentChildren } from 'preact';
import { percent } from '../pure/format.js';

export type Tone = 'ok' | 'warn' | 'bad' | 'accent' | 'quiet';

/** A state in words, with a colour and a shape that agree with it. */
export function Sign({
  tone,
  children,
  title,
}: {
  tone: Tone;
  children: ComponentChildren;
  title?: string;
}) {
  return (
    <span class={`sign ${tone}`} title={title}>
      {children}
    </span>
  );
}

/** A share of one, as a bar and in words. */
export function Level({
  share,
  label,
  wide = false,
}: {
  share: number;
  label: string;
  wide?: boolean;
}) {
  const held = Math.min(1, Math.max(0, share));
  return (
    <span
      class={`level${wide ? ' wide' : ''}${share > 0.9 ? ' warn' : ''}`}
      role="img"
      aria-label={`${label}: ${percent(share)}`}
    >
      <i style={{ width: `${held * 100}%` }} />
    </span>
  );
}

export function Figure({
  title,
  children,
  note,
}: {
  title: string;
  children: ComponentChildren;
  note?: ComponentChildren;
}) {
  return (
    <dl class="figure">
      <dt>{title}</dt>
      <dd>
        {children} {note === undefined ? null : <small>{note}</small>}
      </dd>
    </dl>
  );
}

export interface FaultLike {
  code: string;
  message: string;
  hint?: string;
}

export function Fault({ error }: { error: FaultLike | null }) {
  if (error === null) return null;
  return (
    <div class="fault" role="alert">
      {error.message} <code class="small">{error.code}</code>
      {error.hint === undefined ? null : <p class="hint">{error.hint}</p>}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** What a topic shows while it has nothing: its error, or that it is on its way. */
export function Waiting({ error }: { error: FaultLike | null }) {
  if (error !== null) return <Fault error={error} />;
  return (
    <p class="empty" role="status">
      Reading…
    </p>
  );
}

/** Pairs of a name and a value. */
export function Facts({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => [
        <dt key={name}>{name}</dt>,
        <dd key={`${name}=`}>{value}</dd>,
      ])}
    </dl>
  );
}
