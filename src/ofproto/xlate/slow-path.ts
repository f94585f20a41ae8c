/**
 * What the datapath is told to do with packets that go up to the main thread: through a meter,
 * where the bridge has one for them, and up alone where the datapath cannot do the rest.
 */
import type { OdpAction } from '../../datapath/odp-actions.js';
import type { XlateOut } from './context.js';

/** Of 2^32: always. */
const ALWAYS = 0xffffffff;

/** An action behind a meter: what the meter drops, it drops for this action alone. */
export function metered(meterDpId: number | null, action: OdpAction): OdpAction {
  if (meterDpId === null) return action;
  const actions: OdpAction[] = [{ type: 'meter', id: meterDpId }, action];
  return { type: 'sample', probability: ALWAYS, actions };
}

/** What is installed for a translation: packets that need the main thread each time are sent up. */
export function installed({ slow, slowMeter, actions }: XlateOut): OdpAction[] {
  if (slow === null) return actions;
  const cookie = { type: 'slow_path', reason: slow } as const;
  return [metered(slowMeter, { type: 'userspace', cookie })];
}
