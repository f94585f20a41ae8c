/**
 * Fields of forms, each with its name, and the filter that '/' leads to.
 */
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

export function TextField({
  label,
  value,
  onChange,
  placeholder,
  whole = false,
  mono = false,
  list,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
  whole?: boolean;
  mono?: boolean;
  /** Proposals. */
  list?: readonly string[];
}) {
  const id = useId();
  return (
    <div class={`field${whole ? ' whole' : ''}`}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        class={mono ? 'mono' : ''}
        type="text"
        value={value}
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        list={list === undefined ? undefined : `${id}-list`}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      {list === undefined ? null : (
        <datalist id={`${id}-list`}>
          {list.map((item) => (
            <option key={item} value={item} />
          ))}
        </datalist>
      )}
    </div>
  );
}

export function Choice({
  label,
  value,
  onChange,
  choices,
  bare = false,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  /** Value, and its text where that is another. */
  choices: readonly (readonly [string, string])[];
  /** In a bar: the name is for screen readers only. */
  bare?: boolean;
}) {
  const id = useId();
  const select = (
    <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
      {choices.map(([choice, text]) => (
        <option key={choice} value={choice}>
          {text}
        </option>
      ))}
    </select>
  );
  return (
    <div class={bare ? '' : 'field'}>
      <label htmlFor={id} class={bare ? 'sr-only' : ''}>
        {label}
      </label>
      {select}
    </div>
  );
}

export function Filter({
  value,
  onChange,
  hint = 'Filter',
}: {
  value: string;
  onChange: (value: string) => void;
  hint?: string;
}) {
  return (
    <input
      type="search"
      class="filter"
      data-filter
      aria-label={hint}
      aria-keyshortcuts="/"
      placeholder={`${hint}  (press /)`}
      value={value}
      autocomplete="off"
      spellcheck={false}
      onInput={(event) => onChange(event.currentTarget.value)}
    />
  );
}

/** Buttons of which one is pressed. */
export function Switcher({
  label,
  value,
  onChange,
  choices,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  choices: readonly (readonly [string, ComponentChildren])[];
}) {
  return (
    <fieldset class="tabs" aria-label={label}>
      {choices.map(([choice, text]) => (
        <button
          key={choice}
          type="button"
          aria-pressed={choice === value}
          onClick={() => onChange(choice)}
        >
          {text}
        </button>
      ))}
    </fieldset>
  );
}
