/**
 * Whether what is shown is true now. A wall screen that has stopped must say so.
 */
import type { System } from '../../api/index.js';
import { useConnection, useNow, useTopic } from '../live/hooks.js';
import { type ConnectionState, live } from '../live/socket.js';
import { duration } from '../pure/format.js';
import { Sign } from './signs.js';

/** Milliseconds of silence on an open connection after which it is not called live. */
const SILENCE_MS = 7000;

/** What is wrong when nothing is heard. */
const SILENT: Record<ConnectionState['phase'], string> = {
  connecting: 'Connecting.',
  open: 'The console says nothing.',
  lost: 'The console does not answer. Trying again.',
  refused: 'The console answers only to those who have its token.',
};

/** True while the numbers may be old. */
export function useStale(): boolean {
  const { phase, heardAt } = useConnection();
  const now = useNow(1000);
  if (phase !== 'open') return heardAt > 0 || phase !== 'connecting';
  return now - Math.max(heardAt, live.state.heardAt) > SILENCE_MS;
}

export function ConnectionSign() {
  const { phase } = useConnection();
  const stale = useStale();
  const tone = phase === 'connecting' ? 'quiet' : stale ? 'bad' : 'ok';
  const text = phase === 'connecting' ? 'Connecting' : stale ? 'Not live' : 'Live';
  return (
    <span role="status">
      <Sign tone={tone}>{text}</Sign>
    </span>
  );
}

export function ConnectionBanner() {
  const { phase } = useConnection();
  const stale = useStale();
  const now = useNow(1000);
  const system = useTopic<System>('system');
  const heardAt = live.state.heardAt;
  if (stale) {
    const since = heardAt === 0 ? '' : ` What you see is ${duration((now - heardAt) / 1000)} old.`;
    const what = SILENT[phase];
    return (
      <div class="banner" role="alert">
        {what}
        {since}
      </div>
    );
  }
  if (system.data === null || (system.data.connected.database && system.data.connected.control)) {
    return null;
  }
  const { database, control } = system.data.connected;
  const silent = [database ? '' : 'database', control ? '' : 'control socket'].filter(Boolean);
  return (
    <div class="banner" role="alert">
      The switch’s {silent.join(' and ')} {silent.length > 1 ? 'do' : 'does'} not answer.
    </div>
  );
}
