/**
 * The text of bond/show and bond/list, as users of Open vSwitch 3.1 know it.
 *
 * Not for: finding the bond that a command names (commands/bond.ts).
 */
import { NEVER } from '../common/clock.js';
import type { Bond, BondMember } from './bond.js';
import { macText } from './flow-access.js';

const byName = (a: BondMember, b: BondMember): number => (a.link.name < b.link.name ? -1 : 1);

function memberText(bond: Bond, member: BondMember, now: number): string {
  const lines = [`\nmember ${member.link.name}: ${member.enabled ? 'enabled' : 'disabled'}\n`];
  if (member === bond.active) lines.push('  active member\n');
  if (member.delayExpiresMs !== NEVER) {
    const left = Math.ceil(member.delayExpiresMs - now);
    lines.push(`  ${member.enabled ? 'downdelay' : 'updelay'} expires in ${left} ms\n`);
  }
  lines.push(`  may_enable: ${member.mayEnable}\n`);
  if (!bond.isBalanced) return lines.join('');
  for (const [hash, bucket] of (bond.buckets ?? []).entries()) {
    const kb = Math.floor(bucket.txBytes / 1024);
    if (bucket.member === member && kb > 0) lines.push(`  hash ${hash}: ${kb} kB load\n`);
  }
  return lines.join('');
}

/** One bond's part of bond/show, an empty line at its end included. */
export function bondShow(bond: Bond, now: number): string {
  const { settings } = bond;
  const members = [...bond.members.values()].sort(byName);
  const noSuchPrimary = settings.primary !== null && !members.some((m) => m.isPrimary);
  const active = bond.memberByMac(bond.activeMac);
  return [
    `---- ${bond.name} ----\n`,
    `bond_mode: ${settings.mode}\n`,
    `bond may use recirculation: ${bond.mayRecirc ? 'yes' : 'no'}, `,
    `Recirc-ID : ${bond.mayRecirc ? bond.recircId : -1}\n`,
    `bond-hash-basis: ${settings.basis}\n`,
    `lb_output action: ${bond.lbOutput ? 'enabled' : 'disabled'}, `,
    `bond-id: ${bond.lbOutput ? bond.recircId : -1}\n`,
    settings.mode === 'balance-slb' ? `all members active: ${settings.allMembersActive}\n` : '',
    `updelay: ${settings.updelayMs} ms\n`,
    `downdelay: ${settings.downdelayMs} ms\n`,
    bond.isBalanced ? `next rebalance: ${Math.ceil(bond.nextRebalanceMs - now)} ms\n` : '',
    `lacp_status: ${bond.lacpStatus}\n`,
    `lacp_fallback_ab: ${settings.lacpFallbackAb}\n`,
    `active-backup primary: ${settings.primary ?? '<none>'}`,
    `${noSuchPrimary ? ' (no such member)' : ''}\n`,
    `active member mac: ${macText(bond.activeMac)}(${active?.link.name ?? 'none'})\n`,
    ...members.map((m) => memberText(bond, m, now)),
    '\n',
  ].join('');
}

/** All of bond/list. */
export function bondList(bonds: Iterable<Bond>): string {
  let text = 'bond\ttype\trecircID\tmembers\n';
  for (const bond of bonds) {
    const names = [...bond.members.values()].map((m) => m.link.name).join(', ');
    text += `${bond.name}\t${bond.mode}\t${bond.recircId}\t${names}\n`;
  }
  return text;
}
