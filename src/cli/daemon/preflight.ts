/**
 * What the switch needs of the machine, checked before anything is touched.
 *
 * Every problem is told at once, each with what to do about it, in place of a failure later on that
 * needs explaining.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { loadNative } from '../../native/binding.js';
import { tooFewFiles } from '../io.js';

/** Capability numbers: linux/capability.h. */
const REQUIRED_CAPABILITIES = [
  { name: 'CAP_NET_ADMIN', bit: 12 },
  { name: 'CAP_NET_RAW', bit: 13 },
];

/** Open files that a switch with some ports and clients needs. */
const FILES_MIN = 150;

const TUN_PATH = '/dev/net/tun';

/** How the machine is asked; tests have their own. */
export interface PreflightProbes {
  /** The text of /proc/self/status. */
  processStatus(): string;
  /** The text of /proc/self/limits. */
  processLimits(): string;
  /** Opens and closes /dev/net/tun; throws the error of open(2). */
  openTun(): void;
  /** Loads the addon; throws TapswitchError when it has not been built. */
  loadAddon(): void;
}

export const machineProbes: PreflightProbes = {
  processStatus: () => readFileSync('/proc/self/status', 'latin1'),
  processLimits: () => readFileSync('/proc/self/limits', 'latin1'),
  openTun: () => closeSync(openSync(TUN_PATH, 'r+')),
  loadAddon: () => {
    loadNative();
  },
};

/** Everything that stands in the way of starting; empty when nothing does. */
export function preflight(probes: PreflightProbes = machineProbes): TapswitchError[] {
  const checks = [checkAddon, checkCapabilities, checkTun, checkFiles];
  return checks.map((check) => check(probes)).filter((problem) => problem !== null);
}

/** Names of the required capabilities that the effective set in `processStatus` lacks. */
export function missingCapabilities(processStatus: string): string[] {
  const hex = /^CapEff:\s*([0-9a-f]+)$/im.exec(processStatus)?.[1];
  const effective = BigInt(`0x${hex ?? '0'}`);
  return REQUIRED_CAPABILITIES.filter(({ bit }) => ((effective >> BigInt(bit)) & 1n) === 0n).map(
    ({ name }) => name,
  );
}

function checkAddon(probes: PreflightProbes): TapswitchError | null {
  try {
    probes.loadAddon();
    return null;
  } catch (error) {
    if (error instanceof TapswitchError) return error;
    return new TapswitchError('E_ADDON_MISSING', errorMessage(error), undefined, { cause: error });
  }
}

function checkCapabilities(probes: PreflightProbes): TapswitchError | null {
  const missing = missingCapabilities(probes.processStatus());
  if (missing.length === 0) return null;
  return new TapswitchError(
    'E_NO_CAPABILITY',
    `the process lacks ${missing.join(' and ')}, which reading and writing frames needs`,
    'run as root (sudo), or in a container with --cap-add=NET_ADMIN --cap-add=NET_RAW',
  );
}

/** It would start with fewer, and fail at its first ports and connections. */
function checkFiles(probes: PreflightProbes): TapswitchError | null {
  const limit = /^Max open files +(\d+)/m.exec(probes.processLimits())?.[1];
  if (limit === undefined || Number(limit) >= FILES_MIN) return null;
  return tooFewFiles(`${limit}; at least ${FILES_MIN} are needed`);
}

function checkTun(probes: PreflightProbes): TapswitchError | null {
  try {
    probes.openTun();
    return null;
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'EACCES' || code === 'EPERM') return tunRefused(cause);
    return new TapswitchError(
      'E_NO_TUN',
      `${TUN_PATH} is missing (${errorMessage(cause)}), which internal ports need`,
      "load it with 'modprobe tun', or give the container --device=/dev/net/tun",
      { cause },
    );
  }
}

function tunRefused(cause: unknown): TapswitchError {
  return new TapswitchError(
    'E_TUN_ACCESS',
    `${TUN_PATH} cannot be opened (${errorMessage(cause)}), which internal ports need`,
    'run as root (sudo), or give the container --device=/dev/net/tun',
    { cause },
  );
}
