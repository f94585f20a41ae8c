/**
 * The directories of a switch daemon, where Open vSwitch's programs look for them too.
 */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { errorMessage, TapswitchError } from '../../common/errors.js';

export interface Directories {
  /** Sockets and pid files: OVS_RUNDIR. */
  runDir: string;
  /** Log files: OVS_LOGDIR. */
  logDir: string;
  /** Databases: OVS_DBDIR, else OVS_SYSCONFDIR/openvswitch. */
  dbDir: string;
}

/** The directories that `env` asks for, or the usual ones. Absolute. */
export function directories(env: NodeJS.ProcessEnv): Directories {
  const sysConfDir = env.OVS_SYSCONFDIR || '/etc';
  return {
    runDir: resolve(env.OVS_RUNDIR || '/var/run/openvswitch'),
    logDir: resolve(env.OVS_LOGDIR || '/var/log/openvswitch'),
    dbDir: resolve(env.OVS_DBDIR || `${sysConfDir}/openvswitch`),
  };
}

/**
 * Makes `path` where it does not exist.
 * @throws TapswitchError E_DIRECTORY
 */
export function ensureDirectory(path: string, variable: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw new TapswitchError(
      'E_DIRECTORY',
      `cannot make directory ${path} (${errorMessage(cause)})`,
      `run as root, or choose another directory with ${variable}`,
      { cause },
    );
  }
}
