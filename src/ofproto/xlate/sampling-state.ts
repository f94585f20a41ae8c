/**
 * What a translation knows of samples so far. Not for: what is done with it (sampling.ts).
 */
import type { SampleCookie } from '../../datapath/odp-actions.js';
import type { OfPort } from '../port.js';
import { NF_OUT } from '../sampling.js';

/** What sampling remembers of a translation. */
export class SamplingState {
  /** Cookies in the actions that get their values at the end. */
  readonly cookies: SampleCookie[] = [];
  /** Outputs of the datapath so far, and the last of them. */
  nOutputs = 0;
  lastPort: OfPort | null = null;
  /** NetFlow's output interface: an OpenFlow port, or NF_OUT. */
  netflowOut: number = NF_OUT.DROP;
}
