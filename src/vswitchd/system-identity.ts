/**
 * Which operating system this is, for Open_vSwitch.system_type and system_version.
 *
 * Not for: the switch's own version (common/version.ts).
 */

export interface SystemIdentity {
  readonly type: string;
  readonly version: string;
}

/** What Open vSwitch's start script writes where nothing is known. */
const UNKNOWN = 'unknown';

/** @param osRelease the text of /etc/os-release (os-release(5)) */
export function systemIdentity(osRelease: string): SystemIdentity {
  const value = (name: string): string => {
    const line = new RegExp(`^${name}=(.*)$`, 'm').exec(osRelease)?.[1] ?? '';
    const unquoted = /^(["'])(.*)\1$/.exec(line.trim())?.[2] ?? line.trim();
    return unquoted.replace(/\\(.)/g, '$1') || UNKNOWN;
  };
  return { type: value('ID'), version: value('VERSION_ID') };
}
