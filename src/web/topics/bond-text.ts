/**
 * Bonds out of the texts of bond/show and lacp/show (Open vSwitch 2.16 to 3.x).
 *
 *     ---- bond0 ----
 *     bond_mode: balance-slb
 *     next rebalance: 5123 ms
 *     lacp_status: off
 *     active-member mac: 02:...(p1)            older: 'active slave mac'
 *     member p1: enabled                       older: 'slave p1'
 *       active member
 *       may_enable: true
 *       hash 12: 4 kB load
 */
import type { Bond, BondLacp, BondMember } from '../api/index.js';

const MODES = ['active-backup', 'balance-slb', 'balance-tcp'] as const;
const LACP = ['off', 'configured', 'negotiated'] as const;

/** @param lacpText of lacp/show; '' where there is none */
export function parseBondShow(text: string, lacpText: string): Bond[] {
  const lacp = parseLacpShow(lacpText);
  return sections(text).map(([name, body]) => {
    const mode = known(MODES, /^bond_mode: (\S+)/m.exec(body)?.[1]) ?? 'active-backup';
    const active = /^active[ -](?:member|slave) mac: [^(]*\((.*)\)/m.exec(body)?.[1];
    const rebalance = /^next rebalance: (-?\d+) ms/m.exec(body)?.[1];
    return {
      bridge: '',
      name,
      mode,
      lacp: known(LACP, /^lacp_status: (\S+)/m.exec(body)?.[1]) ?? 'off',
      active: active === undefined || active === 'none' ? null : active,
      rebalanceMs: rebalance === undefined ? null : Math.max(0, Number(rebalance)),
      members: members(body, lacp.get(name)),
      events: [],
    };
  });
}

function members(body: string, lacp: ReadonlyMap<string, BondLacp> | undefined): BondMember[] {
  const [, ...parts] = body.split(/^(?=(?:member|slave) [^\n]*: (?:enabled|disabled))/m);
  return parts.map((part) => {
    const [, name, state] = /^(?:member|slave) ([^\n]*): (\w+)/.exec(part) ?? ['', '', ''];
    const hashes = [...part.matchAll(/^\s+hash \d+: (\d+) kB load/gm)];
    const mayEnable = /^\s+may[ _]enable: (\w+)/m.exec(part)?.[1];
    return {
      name,
      enabled: state === 'enabled',
      active: /^\s+active (?:member|slave)$/m.test(part),
      carrier: mayEnable === undefined ? null : mayEnable === 'true',
      why: '',
      buckets: hashes.length,
      load: hashes.reduce((sum, [, kb]) => sum + Number(kb) * 1024, 0),
      txBps: null,
      rxBps: null,
      lacp: lacp?.get(name) ?? null,
    };
  });
}

/** Members' LACP by bond and name. */
function parseLacpShow(text: string): Map<string, Map<string, BondLacp>> {
  const bonds = new Map<string, Map<string, BondLacp>>();
  for (const [bond, body] of sections(text)) {
    const found = new Map<string, BondLacp>();
    for (const part of body.split(/^(?=(?:member|slave): )/m).slice(1)) {
      const [, name, flags] = /^(?:member|slave): ([^:\n]*): (.*)$/m.exec(part) ?? ['', '', ''];
      const field = (key: string) => new RegExp(`^\\s+${key}: (.*)$`, 'm').exec(part)?.[1] ?? '';
      found.set(name, {
        status: flags.split(' ')[0] ?? '',
        attached: flags.includes('attached') && !flags.includes('detached'),
        actor: field('actor state').trim(),
        partner: field('partner state').trim(),
        partnerSystem: field('partner sys_id').trim(),
      });
    }
    bonds.set(bond, found);
  }
  return bonds;
}

/** '---- NAME ----' and what follows it. */
function sections(text: string): [name: string, body: string][] {
  return text
    .split(/^(?=---- .* ----$)/m)
    .filter((part) => part.startsWith('---- '))
    .map((part) => {
      const end = part.indexOf('\n');
      const head = end < 0 ? part : part.slice(0, end);
      return [head.slice(5, -5), end < 0 ? '' : part.slice(end + 1)];
    });
}

function known<T extends string>(values: readonly T[], text: string | undefined): T | undefined {
  return values.find((value) => value === text);
}
