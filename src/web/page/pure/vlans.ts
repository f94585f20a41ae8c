/**
 * VLANs as people write them: '10', '10, 20', '100-110'.
 */

const VLAN_MAX = 4095;

/** What was written cannot be read; `message` says which part. */
export class VlanError extends Error {
  readonly code = 'E_WEB_REQUEST';
}

export function parseVlans(text: string): number[] {
  const vlans = new Set<number>();
  for (const part of text.split(/[\s,]+/).filter(Boolean)) {
    const [, from, to] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    const [first, last] = [Number(from), Number(to ?? from)];
    if (from === undefined || last > VLAN_MAX || first > last) {
      throw new VlanError(`“${part}” is no VLAN: numbers from 0 to ${VLAN_MAX}, or 100-110`);
    }
    for (let vlan = first; vlan <= last; vlan++) vlans.add(vlan);
  }
  return [...vlans].sort((a, b) => a - b);
}
