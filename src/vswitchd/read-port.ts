/**
 * A Port row's VLAN, bond and LACP settings. Meanings and defaults: ovs-vswitchd.conf.db(5), Port.
 */

import {
  type BondMode,
  type BondSettings,
  defaultBondSettings,
  defaultBundleSettings,
  type VlanMode,
} from '../ofproto/settings.js';
import type { IdlRow } from '../ovsdb/idl/index.js';
import type { IfaceLacpConfig, PortLacpConfig, PortSettings } from './config.js';
import {
  mapBool,
  mapInt,
  parseMac,
  rowMap,
  rowNumber,
  rowNumbers,
  rowString,
  type Warn,
} from './row-values.js';

const VLAN_MODES: readonly VlanMode[] = [
  'access',
  'trunk',
  'native-tagged',
  'native-untagged',
  'dot1q-tunnel',
];
const BOND_MODES: readonly BondMode[] = ['active-backup', 'balance-slb', 'balance-tcp'];

/** The settings of one port. `row` null: a local port that no row describes, named `name`. */
export function readPortSettings(
  row: IdlRow | null,
  nIfaces: number,
  warn: Warn,
  name = row ? rowString(row, 'name') : '',
): PortSettings {
  const { members: _, ...defaults } = defaultBundleSettings(name, []);
  const settings: PortSettings = { ...defaults, lacp: null };
  if (!row) return settings;
  readVlans(row, settings, warn);
  settings.protected = row.get<boolean>('protected');
  settings.lacp = readLacp(row, nIfaces, warn);
  if (nIfaces > 1) settings.bond = readBond(row, warn);
  return settings;
}

function readVlans(row: IdlRow, settings: PortSettings, warn: Warn): void {
  const tag = rowNumber(row, 'tag');
  const trunks = rowNumbers(row, 'trunks');
  const cvlans = rowNumbers(row, 'cvlans');
  const mode = rowString(row, 'vlan_mode');
  settings.tag = tag ?? -1;
  if (mode !== '') settings.vlanMode = oneOf(mode, VLAN_MODES, 'trunk', 'VLAN mode', warn);
  else if (tag !== null) {
    settings.vlanMode = 'access';
    if (trunks.length) warn('ignoring trunks in favor of implicit vlan');
  }
  if (settings.vlanMode === 'trunk') settings.tag = -1;
  else if (settings.tag < 0) settings.tag = 0;
  const carriesTrunks = settings.vlanMode !== 'access' && settings.vlanMode !== 'dot1q-tunnel';
  settings.trunks = carriesTrunks && trunks.length ? new Set(trunks) : null;
  settings.cvlans = cvlans.length ? new Set(cvlans) : null;
  const other = rowMap(row, 'other_config');
  settings.qinqEthType = other.get('qinq-ethtype') === '802.1q' ? 0x8100 : 0x88a8;
  settings.priorityTags = readPriorityTags(other, warn);
}

function readPriorityTags(
  other: ReadonlyMap<string, string>,
  warn: Warn,
): PortSettings['priorityTags'] {
  const text = other.get('priority-tags') ?? 'false';
  if (text === 'true' || text === 'if-nonzero') return 'if-nonzero';
  if (text === 'false' || text === 'never' || text === 'no') return 'never';
  return oneOf(text, ['always', 'never'], 'never', 'priority-tags', warn);
}

function oneOf<T extends string>(
  text: string,
  allowed: readonly T[],
  fallback: T,
  what: string,
  warn: Warn,
): T {
  if ((allowed as readonly string[]).includes(text)) return text as T;
  warn(`unknown ${what} ${text}, falling back to ${fallback}`);
  return fallback;
}

function readBond(row: IdlRow, warn: Warn): BondSettings {
  const other = rowMap(row, 'other_config');
  const bond = defaultBondSettings();
  const mode = rowString(row, 'bond_mode');
  if (mode !== '') bond.mode = oneOf(mode, BOND_MODES, 'active-backup', 'bond_mode', warn);
  bond.updelayMs = Math.max(0, rowNumber(row, 'bond_updelay') ?? 0);
  bond.downdelayMs = Math.max(0, rowNumber(row, 'bond_downdelay') ?? 0);
  bond.basis = mapInt(other, 'bond-hash-basis', { min: 0, max: 0xffffffff, fallback: 0 }, warn);
  bond.rebalanceIntervalMs = readRebalance(other, warn);
  bond.primary = other.get('bond-primary') ?? null;
  bond.lacpFallbackAb = mapBool(other, 'lacp-fallback-ab', false);
  bond.allMembersActive =
    mapBool(other, 'all-members-active', false) || mapBool(other, 'all-slaves-active', false);
  bond.useLbOutput = bond.mode === 'balance-tcp' && mapBool(other, 'lb-output-action', false);
  const detect = other.get('bond-detect-mode') ?? 'carrier';
  bond.detect = oneOf(detect, ['carrier', 'miimon'], 'carrier', 'bond-detect-mode', warn);
  const miimon = { min: 1, max: 0x7fffffff, fallback: 200 };
  bond.miimonIntervalMs = mapInt(other, 'bond-miimon-interval', miimon, warn);
  bond.activeMemberMac = parseMac(row.get<string | null>('bond_active_slave'));
  return bond;
}

function readRebalance(other: ReadonlyMap<string, string>, warn: Warn): number {
  const range = { min: 0, max: 0x7fffffff, fallback: 10_000 };
  const interval = mapInt(other, 'bond-rebalance-interval', range, warn);
  return interval === 0 ? 0 : Math.max(interval, 1000);
}

function readLacp(row: IdlRow, nIfaces: number, warn: Warn): PortLacpConfig | null {
  const mode = rowString(row, 'lacp');
  if (mode === '' || mode === 'off') return null;
  const other = rowMap(row, 'other_config');
  // Links that can be aggregated are preferred to those that stand alone.
  const fallback = nIfaces > 1 ? 65534 : 65535;
  const time = other.get('lacp-time')?.toLowerCase() ?? 'slow';
  const systemId = readSystemId(other.get('lacp-system-id'), warn);
  if (systemId?.every((byte) => byte === 0)) {
    warn('Invalid zero LACP system ID.');
    return null;
  }
  return {
    active: mode === 'active',
    fast: oneOf(time, ['slow', 'fast'], 'slow', 'lacp-time', warn) === 'fast',
    systemId,
    systemPriority: mapInt(other, 'lacp-system-priority', { min: 1, max: 0xffff, fallback }, warn),
    fallbackAb: mapBool(other, 'lacp-fallback-ab', false),
  };
}

function readSystemId(text: string | undefined, warn: Warn): Uint8Array | null {
  if (text === undefined) return null;
  const mac = parseMac(text);
  if (mac === null) warn(`LACP system ID (${text}) must be an Ethernet address.`);
  return mac;
}

/** An Interface row's LACP settings. What is out of range is as if it were not there. */
export function readIfaceLacp(row: IdlRow): IfaceLacpConfig {
  const other = rowMap(row, 'other_config');
  return {
    portId: mapPositive16(other, 'lacp-port-id'),
    portPriority: mapPositive16(other, 'lacp-port-priority'),
    key: mapPositive16(other, 'lacp-aggregation-key') ?? 0,
  };
}

/** A number from 1 to 65535, or null. */
function mapPositive16(map: ReadonlyMap<string, string>, key: string): number | null {
  const text = map.get(key) ?? '';
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  return value >= 1 && value <= 0xffff ? value : null;
}
