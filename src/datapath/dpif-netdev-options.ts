/**
 * What the real datapath is made with, and what it needs of its devices (dpif-netdev.ts).
 */
import type { Clock } from '../common/clock.js';
import { getLogger } from '../common/log.js';
import type { NativeBinding } from '../native/binding.js';
import type { ClassSockets, DatapathQueue, TransmitQueues } from '../netdev/netdev.js';
import type { PortQueueSettings, Shaping } from '../netdev/queue-settings.js';
import type { DpifSettings, DpNetdev } from './dpif.js';
import type { KernelDevice } from './kernel-cache/kernel-forwarding.js';
import { WORKERS_MAX } from './worker-slots.js';

const logger = getLogger('dpif_netdev');

/** 2 GiB - 4 KiB: the most that keeps offsets small integers. It is address space, not memory. */
export const DEFAULT_ARENA_BYTES = 2 ** 31 - 4096;

/** A device whose queues the datapath can take (src/netdev QueuedNetdev). */
export interface QueuedDevice extends DpNetdev, KernelDevice {
  openQueues(n: number): DatapathQueue[];
  openTransmit(workers: number): TransmitQueues | null;
  openClasses?(shaping: Shaping | null, workers: number): ClassSockets | null;
  closeStaleClasses?(): void;
  closeQueues(stays?: boolean): void;
  /** Whether it has another number of transmit queues than openTransmit() found. */
  transmitChanged?(): boolean;
}

export interface DpifNetdevOptions {
  clock: Clock;
  native: NativeBinding;
  /** The workers' entry file. Default: worker.js beside this file, or in dist/. */
  workerUrl?: URL;
  workers?: number;
  /** CPUs for the workers, in order; default: the last of those that the process may use. */
  pmdCpuMask?: readonly number[];
  maxPorts?: number;
  flowLimit?: number;
  arenaBytes?: number;
  settings?: DpifSettings;
  name?: string;
  /** Asks for a turn of run(). */
  wake?: () => void;
}

/** What is known of a worker. */
export interface WorkerInfo {
  /** -1: not pinned. */
  cpu: number;
  alive: boolean;
  /** Live, by C_* (shared-stats.ts). */
  counters: Float64Array;
  /** Heap in use and CPU time, as of the call before this one. */
  heapBytes: number;
  cpuUs: number;
}

declare global {
  interface ImportMeta {
    /** URL of the folder of bundles, in a bundle (scripts/build-bundle.mjs). */
    readonly bundle?: string;
  }
}

/** Where the built worker is, seen from here (a bundle, a module, or TypeScript under test). */
export function defaultWorkerUrl(): URL {
  if (import.meta.bundle) return new URL('run-worker.cjs', import.meta.bundle);
  const built = import.meta.url.endsWith('.js');
  return new URL(built ? './worker.js' : '../../dist/datapath/worker.js', import.meta.url);
}

/** Whether nothing is set that only workers heed: rates, and the choice of transmit queues. */
export function leftToKernel(settings: PortQueueSettings): boolean {
  const { shaping, policing, xpsCpus, classes } = settings;
  return shaping === null && policing === null && xpsCpus === null && classes === null;
}

/**
 * The CPU of each worker: those of the mask that the process may use (which respects a container's
 * cpuset); without a mask the last ones, as many as `workers` says.
 */
export function workerCpus(
  { native, workers = 1 }: DpifNetdevOptions,
  wanted?: readonly number[] | null,
): number[] {
  const usable = native.getAffinity();
  const mask = wanted?.filter((cpu) => usable.includes(cpu)) ?? [];
  if (wanted && mask.length < wanted.length) {
    const missing = wanted.filter((cpu) => !usable.includes(cpu));
    logger.warn(`pmd-cpu-mask names CPUs that this process may not use: ${missing.join(', ')}`);
  }
  if (mask.length > 0) return mask.slice(0, WORKERS_MAX);
  const n = Math.min(Math.max(1, workers), WORKERS_MAX);
  const cpus = usable.slice(-n);
  return Array.from({ length: n }, (_, i) => cpus[i] ?? -1);
}
