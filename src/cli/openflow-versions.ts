/** OpenFlow versions on command lines: `OpenFlow10,OpenFlow13`. */
import { UsageError } from './getopt.js';

const NAMES: Record<string, number> = {
  openflow10: 1,
  openflow11: 2,
  openflow12: 3,
  openflow13: 4,
  openflow14: 5,
  openflow15: 6,
};

/** Wire numbers, lowest first. @throws UsageError */
export function parseVersions(text: string): number[] {
  const versions = text
    .split(/[, ]+/)
    .filter((word) => word !== '')
    .map((word) => {
      const version = NAMES[word.toLowerCase()];
      if (version === undefined) throw new UsageError(`Unknown OpenFlow version: "${word}"`);
      return version;
    });
  return [...new Set(versions)].sort((a, b) => a - b);
}
