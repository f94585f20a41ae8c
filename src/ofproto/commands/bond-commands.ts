/** bond/list, bond/show and what changes a bond by hand. */
import type { Bond, BondMember } from '../bond.js';
import { bondList, bondShow } from '../bond-show.js';
import { type BondReport, bondReport } from '../bond-status.js';
import { accountBond } from '../bundle-run.js';
import { macParse } from '../flow-access.js';
import { hashMac } from '../hash.js';
import type { OfprotoRegistry } from '../registry.js';
import { commandError, type OfprotoCommand } from './command.js';

const BUCKET_MASK = 0xff;

export function bondCommands(registry: OfprotoRegistry): OfprotoCommand[] {
  const bonds = (): Bond[] => registry.ofprotos().flatMap((ofproto) => [...ofproto.bonds()]);
  const find = (name: string): Bond =>
    bonds().find((bond) => bond.name === name) ?? commandError('no such bond');
  const wake = (): void => {
    for (const backer of registry.backers()) backer.wake();
  };
  const setActive = ([bondName, memberName]: string[]): string => {
    const bond = find(bondName);
    const member = memberOf(bond, memberName);
    if (!member.enabled) commandError('cannot make disabled member active');
    const changed = bond.setActive(member);
    wake();
    return changed ? 'done' : 'no change';
  };
  const enable =
    (enabled: boolean) =>
    ([bondName, memberName]: string[]): string => {
      const bond = find(bondName);
      bond.enable(memberOf(bond, memberName), enabled);
      wake();
      return enabled ? 'enabled' : 'disabled';
    };
  const two = { minArgs: 2, maxArgs: 2 };
  return [
    { name: 'bond/list', usage: '', minArgs: 0, maxArgs: 0, run: () => bondList(bonds()) },
    {
      name: 'bond/show',
      usage: '[port]',
      minArgs: 0,
      maxArgs: 1,
      run: (args) => {
        for (const ofproto of registry.ofprotos()) {
          for (const bundle of ofproto.bundles()) if (bundle.bond) accountBond(ofproto, bundle);
        }
        const chosen = args.length > 0 ? [find(args[0])] : bonds();
        return chosen.map((bond) => bondShow(bond, registry.clock.now())).join('');
      },
    },
    {
      // Of this switch alone, so not listed: what `tapswitch bond watch` asks for.
      name: 'bond/status',
      usage: null,
      minArgs: 0,
      maxArgs: 1,
      run: (args) => statusJson(registry, args[0] ?? null),
    },
    {
      name: 'bond/migrate',
      usage: 'port hash member',
      minArgs: 3,
      maxArgs: 3,
      run: ([bondName, hash, memberName]) => {
        const bond = find(bondName);
        if (bond.mode !== 'balance-slb') commandError('not an SLB bond');
        if (!/^\d+$/.test(hash)) commandError('bad hash');
        const member = memberOf(bond, memberName);
        if (!member.enabled) commandError('cannot migrate to disabled member');
        const bucket = bond.buckets?.[Number(hash) & BUCKET_MASK];
        if (bucket !== undefined) bucket.member = member;
        bond.markRevalidate();
        wake();
        return 'migrated';
      },
    },
    {
      name: 'dpif-netdev/bond-show',
      usage: '[dp]',
      minArgs: 0,
      maxArgs: 1,
      run: () => bondTables(registry),
    },
    { name: 'bond/set-active-member', usage: 'port member', ...two, run: setActive },
    { name: 'bond/enable-member', usage: 'port member', ...two, run: enable(true) },
    { name: 'bond/disable-member', usage: 'port member', ...two, run: enable(false) },
    {
      name: 'bond/hash',
      usage: 'mac [vlan] [basis]',
      minArgs: 1,
      maxArgs: 3,
      run: ([mac, vlan = '0', basis = '0']) => {
        if (!/^\d+/.test(vlan)) commandError('invalid vlan');
        if (!/^\d+/.test(basis)) commandError('invalid basis');
        const address = macParse(mac) ?? commandError('invalid mac');
        const hash = hashMac(address, Number.parseInt(vlan, 10), Number.parseInt(basis, 10));
        return String(hash & BUCKET_MASK);
      },
    },
    { name: 'bond/set-active-slave', usage: null, ...two, run: setActive },
    { name: 'bond/enable-slave', usage: null, ...two, run: enable(true) },
    { name: 'bond/disable-slave', usage: null, ...two, run: enable(false) },
  ];
}

/** The datapaths' tables for lb_output. */
function bondTables(registry: OfprotoRegistry): string {
  let text = '';
  for (const { dpif } of registry.backers()) {
    for (const [id, ports] of dpif.bonds?.all() ?? []) {
      text += `\tbond-id ${id}:\n`;
      ports.forEach((port, bucket) => {
        text += `\t\tbucket ${bucket} - member ${port >>> 0}\n`;
      });
    }
  }
  return text === '' ? '' : `\nBonds:\n${text}`;
}

/** A JSON array of BondReport. */
function statusJson(registry: OfprotoRegistry, name: string | null): string {
  const reports: BondReport[] = [];
  for (const ofproto of registry.ofprotos()) {
    for (const bundle of ofproto.bundles()) {
      const { bond } = bundle;
      if (bond === null || (name !== null && bond.name !== name)) continue;
      accountBond(ofproto, bundle);
      reports.push(bondReport(ofproto, bundle, bond, registry.clock.now()));
    }
  }
  if (name !== null && reports.length === 0) commandError('no such bond');
  return JSON.stringify(reports);
}

function memberOf(bond: Bond, name: string): BondMember {
  return bond.memberByName(name) ?? commandError('no such member');
}
