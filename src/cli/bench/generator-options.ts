/** What the generator's thread and its owner share. */
import type { TrafficOptions } from './udp-frame.js';

export interface GeneratorOptions extends TrafficOptions {
  /** Path of the sender's namespace, e.g. /run/netns/x. */
  namespacePath: string;
  ifname: string;
  /** A TAP's descriptor that frames are written to, as a virtual machine's program does; or -1. */
  tapFd: number;
  cpu: number;
  /** Different UDP source ports (and, beyond 50,000, source addresses). */
  flows: number;
  /** Frames a second; 0: as fast as possible. */
  rate: number;
  /** Sleeps between bursts, so that CPU time is that of sending; timing is coarser. */
  sleeps: boolean;
  /** Frames after which the thread stops sending; 0: never. */
  frames: number;
  /** Probes a second. */
  probes: number;
  /** One Int32: anything but 0 ends the thread. */
  stop: SharedArrayBuffer;
  /** Doubles: G_*. */
  counters: SharedArrayBuffer;
}

export const G_FRAMES = 0;
export const G_PROBES = 1;
export const G_REFUSED = 2;
export const N_GENERATOR_COUNTERS = 4;
