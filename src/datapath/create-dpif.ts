/**
 * Datapaths by type name, as Bridge.datapath_type and dpctl name them.
 */
import type { Clock } from '../common/clock.js';
import { TapswitchError } from '../common/errors.js';
import type { NativeBinding } from '../native/binding.js';
import type { Dpif } from './dpif.js';
import { DpifDummy } from './dpif-dummy.js';
import { DpifNetdev } from './dpif-netdev.js';
import type { DpifNetdevOptions } from './dpif-netdev-options.js';

export interface CreateDpifOptions extends Omit<DpifNetdevOptions, 'native'> {
  clock: Clock;
  /** Needed for type 'netdev'. */
  native?: NativeBinding;
}

/** What datapaths there are: the values of Open_vSwitch.datapath_types. */
export const DATAPATH_TYPES = ['dummy', 'netdev'] as const;

/**
 * Makes a datapath. '' and 'system' mean 'netdev': there is no kernel module here.
 * @throws TapswitchError E_DP_TYPE for an unknown type
 */
export function createDpif(type: string, options: CreateDpifOptions): Dpif {
  const { native, ...rest } = options;
  if (type === 'dummy') return new DpifDummy(rest);
  if (type !== '' && type !== 'system' && type !== 'netdev') {
    throw new TapswitchError(
      'E_DP_TYPE',
      `there is no datapath of type '${type}'`,
      `use one of: ${DATAPATH_TYPES.join(', ')}`,
    );
  }
  if (!native) throw new TypeError('a netdev datapath needs the native addon');
  return new DpifNetdev({ ...rest, native });
}
