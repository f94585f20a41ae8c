/**
 * Version texts. The first line is in the form that scripts look for in Open vSwitch's tools
 * (Mininet, for one, reads the first `N.N` of it); the second is ours.
 */
import { readFileSync } from 'node:fs';

/** The release of Open vSwitch whose command-line, database and control interfaces are kept. */
export const OVS_INTERFACE_VERSION = '3.1.1';

/** This package's version, from package.json. */
export function tapswitchVersion(): string {
  const url = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
}

/** What `program --version` prints, e.g. for ovs-vswitchd. Ends with a line end. */
export function versionText(program: string): string {
  return `${program} (Open vSwitch) ${OVS_INTERFACE_VERSION}\ntapswitch ${tapswitchVersion()}\n`;
}
