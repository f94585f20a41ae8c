/**
 * Flow formats ("protocols"): a protocol version together with, in OpenFlow 1.0, the form of its
 * matches and whether flow mods name a table. Sets of them are bit masks.
 *
 * Parsing a flow tells which of them can express it; ovs-ofctl -F and -O tell which are allowed.
 */

export const P = {
  OF10_STD: 1 << 0,
  OF10_STD_TID: 1 << 1,
  OF10_NXM: 1 << 2,
  OF10_NXM_TID: 1 << 3,
  OF11_STD: 1 << 4,
  OF12_OXM: 1 << 5,
  OF13_OXM: 1 << 6,
  OF14_OXM: 1 << 7,
  OF15_OXM: 1 << 8,
} as const;

const STD_ANY = P.OF10_STD | P.OF10_STD_TID;
const NXM_ANY = P.OF10_NXM | P.OF10_NXM_TID;
const OXM_ANY = P.OF12_OXM | P.OF13_OXM | P.OF14_OXM | P.OF15_OXM;

export const P_NONE = 0;
export const P_ANY = (1 << 9) - 1;
export const P_OF10_ANY = STD_ANY | NXM_ANY;
export const P_NXM_OF11_UP = NXM_ANY | P.OF11_STD | OXM_ANY;
export const P_NXM_OXM_ANY = NXM_ANY | OXM_ANY;
export const P_OF11_UP = P.OF11_STD | OXM_ANY;
export const P_OF12_UP = OXM_ANY;
export const P_OF13_UP = P.OF13_OXM | P.OF14_OXM | P.OF15_OXM;
export const P_OF14_UP = P.OF14_OXM | P.OF15_OXM;
export const P_OF15_UP = P.OF15_OXM;
/** Those in which a flow mod names its table. */
export const P_TID = P.OF10_STD_TID | P.OF10_NXM_TID | P_OF11_UP;

const NAMES: [bits: number, name: string][] = [
  [P_ANY, 'any'],
  [STD_ANY, 'OpenFlow10'],
  [NXM_ANY, 'NXM'],
  [OXM_ANY, 'OXM'],
  [P.OF10_STD, 'OpenFlow10-table_id'],
  [P.OF10_STD_TID, 'OpenFlow10+table_id'],
  [P.OF10_NXM, 'NXM-table_id'],
  [P.OF10_NXM_TID, 'NXM+table_id'],
  [P.OF11_STD, 'OpenFlow11'],
  [P.OF12_OXM, 'OXM-OpenFlow12'],
  [P.OF13_OXM, 'OXM-OpenFlow13'],
  [P.OF14_OXM, 'OXM-OpenFlow14'],
  [P.OF15_OXM, 'OXM-OpenFlow15'],
];

/** Names of a set, groups first, as ovs-ofctl -F takes them. */
export function protocolsToString(protocols: number): string {
  if (protocols === 0) return 'none';
  const names: string[] = [];
  let left = protocols;
  for (const [bits, name] of NAMES) {
    if (left !== 0 && (left & bits) === bits) {
      names.push(name);
      left &= ~bits;
    }
  }
  return names.join(',');
}

/** The set that a comma-separated list names, or the name in it that is unknown. */
export function protocolsFromString(text: string): number | { unknown: string } {
  let protocols = 0;
  for (const word of text.split(',').filter((w) => w !== '')) {
    const found = NAMES.find(([, name]) => name.toLowerCase() === word.toLowerCase());
    if (found === undefined) return { unknown: word };
    protocols |= found[0];
  }
  return protocols;
}

/** The format in which a connection of a version starts. */
export function protocolOfVersion(version: number): number {
  const table = [0, P.OF10_STD, P.OF11_STD, P.OF12_OXM, P.OF13_OXM, P.OF14_OXM, P.OF15_OXM];
  return table[version] ?? 0;
}

/** Every format that connections of a version can have. */
export function protocolsOfVersion(version: number): number {
  return version === 1 ? P_OF10_ANY : protocolOfVersion(version);
}

/** The version of one format. */
export function versionOfProtocol(protocol: number): number {
  if ((protocol & P_OF10_ANY) !== 0) return 1;
  return 1 + Math.log2(protocol / P.OF11_STD) + 1;
}
