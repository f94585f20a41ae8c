/**
 * Asks for the token that the console was started with.
 */
import { useState } from 'preact/hooks';
import { token } from '../live/token.js';
import { Dialog } from './panel.js';

export function TokenDialog({
  reading,
  onClose,
}: {
  /** Even looking needs it here. */
  reading: boolean;
  onClose: () => void;
}) {
  const [value, setValue] = useState('');
  const held = token.get() !== null;
  const save = (event: Event): void => {
    event.preventDefault();
    token.set(value.trim() === '' ? null : value.trim());
    onClose();
  };
  return (
    <Dialog title="Token" onClose={onClose}>
      <p>
        {reading
          ? 'This console answers only to those who have its token.'
          : 'Changes need the token that this console was started with.'}{' '}
        It is kept until this tab is closed.
      </p>
      {reading && held ? <p class="fault">That is not the token.</p> : null}
      <form class="bar" onSubmit={save}>
        <input
          type="password"
          class="filter"
          aria-label="Token"
          autocomplete="off"
          value={value}
          onInput={(event) => setValue(event.currentTarget.value)}
        />
        <button type="submit" class="primary">
          Use it
        </button>
        {held ? (
          <button
            type="button"
            onClick={() => {
              token.set(null);
              onClose();
            }}
          >
            Forget it
          </button>
        ) : null}
      </form>
    </Dialog>
  );
}
