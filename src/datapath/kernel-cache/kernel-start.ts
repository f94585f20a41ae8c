/**
 * Whether the kernel forwards, and from when on.
 *
 *     off   workers forward everything
 *     on    at once, TAPs too; who cannot have it is warned, and dumps say which flows it forwards
 *     auto  half a second later, so that starting takes no longer; nobody is to notice
 *
 * Its timer is the machine's: this belongs to the real datapath only.
 */
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { NativeBinding } from '../../native/binding.js';
import type { KernelMode } from '../dpif.js';
import type { WorkerFeed } from './hand-over.js';
import { KernelForwarding } from './kernel-forwarding.js';

const log = getLogger('dpif_netdev');

/** Loading the programs takes the main thread some 30 ms, in the kernel's verifier. */
const AUTO_DELAY_MS = 500;

export interface KernelStartOptions {
  native: NativeBinding;
  now: () => number;
  /** Resolves once workers have done what they had to do. */
  settled: () => Promise<void>;
  feed: WorkerFeed;
  /** Hands over all ports and flows that there are. */
  begin: (kernel: KernelForwarding) => void;
}

export class KernelStart {
  /** What was ever begun, also once it has ended: what it counted counts. */
  forwarding: KernelForwarding | null = null;
  mode: KernelMode = 'off';
  private timer: NodeJS.Timeout | null = null;
  private refused = false;
  private cpus: readonly number[] | null = null;

  constructor(private readonly options: KernelStartOptions) {}

  /** The kernel forwards now. */
  get running(): boolean {
    return this.forwarding?.running ?? false;
  }

  /** It does, and because it was asked to: commands tell of it. */
  get shown(): boolean {
    return this.mode === 'on' && this.running;
  }

  /** @param cpus that share the work, or null */
  want(mode: KernelMode, cpus: readonly number[] | null = null): void {
    this.cpus = cpus;
    this.forwarding?.steerTo(cpus);
    if (mode === this.mode) return;
    const before = this.mode;
    this.mode = mode;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.forwarding?.stop();
    if (mode === 'off' || (this.refused && before === 'on')) return;
    if (mode === 'on' || this.forwarding !== null) this.begin();
    else this.timer = setTimeout(() => this.begin(), AUTO_DELAY_MS).unref();
  }

  close(): void {
    this.want('off');
    this.forwarding?.close();
  }

  private begin(): void {
    this.timer = null;
    const { native, now, settled, feed, begin } = this.options;
    try {
      this.forwarding ??= new KernelForwarding(native, now, settled, feed);
    } catch (error) {
      this.refused = true;
      if (this.mode === 'on') log.warn(errorMessage(error));
      else log.info(errorMessage(error));
      return;
    }
    this.forwarding.quiet = this.mode === 'auto';
    this.forwarding.running = true;
    this.forwarding.steerTo(this.cpus);
    begin(this.forwarding);
  }
}
