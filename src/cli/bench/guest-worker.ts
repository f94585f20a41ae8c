/**
 * Makes TAPs in a network's namespace as a program that runs virtual machines does: what it writes
 * to their descriptors is what a guest sends.
 *
 * `workerData` is a GuestOptions; the descriptors are posted. They are the process's, not the
 * thread's.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadNative } from '../../native/binding.js';

export interface GuestOptions {
  namespacePath: string;
  names: readonly string[];
}

function open({ namespacePath, names }: GuestOptions): number[] {
  const native = loadNative();
  native.setns(namespacePath);
  return names.flatMap((name) => native.tapOpen({ name, queues: 1 }).fds);
}

parentPort?.postMessage(open(workerData as GuestOptions));
