/** Devices that nothing real is behind: for switches in one process, without native code. */
import type { Clock } from '../../src/common/clock.js';
import { NetdevRegistry } from '../../src/netdev/registry.js';

/** A registry that opens dummies only. */
export function dummyNetdevs(clock: Clock): NetdevRegistry {
  const native = (): never => {
    throw new Error('no native code here');
  };
  return new NetdevRegistry({ clock, native, dummy: 'all', disableSystem: true });
}
