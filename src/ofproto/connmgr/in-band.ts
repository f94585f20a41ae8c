/**
 * In-band control: a controller that is reached through the bridge it controls is always reached.
 *
 *     local port ── DHCP, ARP, TCP to the controller ──> NORMAL ──> ... ──> controller
 *
 * Hidden entries above all that controllers can add send this traffic, and nothing else, to NORMAL.
 * With them a bridge whose tables are empty, or wrong, still finds its controller. There are some
 * for the bridge, some for each next hop, some for each controller (and manager of the database).
 *
 * Addresses of the machine itself (127.0.0.0/8) need no bridge and get no entries. Not for: IPv6,
 * names of hosts, targets that are listened on; there nobody knows beforehand who comes.
 */
import { NEVER } from '../../common/clock.js';
import { getLogger } from '../../common/log.js';
import type { NextHop } from '../../netdev/next-hop.js';
import { OFPP, type OfAction } from '../../openflow/actions.js';
import { parseFlow } from '../../openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../openflow/syntax/names.js';
import { macFromBytes, macText } from '../flow-access.js';
import type { Ofproto } from '../ofproto.js';
import { Rule } from '../rule.js';
import { OF_PORT, parseTarget } from './stream.js';

const log = getLogger('in_band');

/** The first of the priorities, one for each kind of entry in the order below. */
const PRIORITY = 180_000;
const KINDS = [
  'from-local-dhcp',
  'to-local-arp',
  'from-local-arp',
  'to-next-hop-arp',
  'from-next-hop-arp',
  'to-remote-arp',
  'from-remote-arp',
  'to-remote-tcp',
  'from-remote-tcp',
] as const;
type Kind = (typeof KINDS)[number];
/** A next hop's address is looked for again after so long; soon where it is not known yet. */
const REFRESH_MS = 10_000;
const REFRESH_SOON_MS = 1000;

/** Where a controller or manager is. */
export interface InBandRemote {
  /** Dotted IPv4 address. */
  ip: string;
  port: number;
}

export interface InBandSettings {
  /** other_config:disable-in-band is not set. */
  enabled: boolean;
  /** other_config:in-band-queue: where the traffic is queued; null: as all other. */
  queue: number | null;
}

interface Remote extends InBandRemote {
  mac: Uint8Array | null;
  /** What was said of it in the log. */
  error: string | null;
}

/** Where a target leads, when in-band control can do something for it. */
export function inBandRemote(target: string, defaultPort = OF_PORT): InBandRemote | null {
  const to = parseTarget(target, defaultPort);
  if (to === null || 'path' in to) return null;
  const bytes = to.host.split('.');
  const isIp = bytes.length === 4 && bytes.every((b) => /^\d{1,3}$/.test(b) && Number(b) < 256);
  if (!isIp || Number(bytes[0]) === 127) return null;
  return { ip: bytes.map(Number).join('.'), port: to.port };
}

/** What passes: matches and their kinds. What is wanted twice is of the kind that came first. */
function wantedEntries(localMac: Uint8Array | null, remotes: readonly Remote[]): Map<string, Kind> {
  const wanted = new Map<string, Kind>();
  const add = (kind: Kind, match: string): void => {
    if (!wanted.has(match)) wanted.set(match, kind);
  };
  if (localMac !== null && remotes.length > 0) {
    const mac = macText(macFromBytes(localMac));
    add('from-local-dhcp', `udp,in_port=LOCAL,dl_src=${mac},tp_src=68,tp_dst=67`);
    add('to-local-arp', `arp,arp_op=2,dl_dst=${mac}`);
    add('from-local-arp', `arp,arp_op=1,dl_src=${mac}`);
  }
  for (const { mac } of remotes) {
    if (mac === null) continue;
    const address = macText(macFromBytes(mac));
    add('to-next-hop-arp', `arp,arp_op=2,dl_dst=${address}`);
    add('from-next-hop-arp', `arp,arp_op=1,dl_src=${address}`);
  }
  for (const { ip, port } of remotes) {
    add('to-remote-arp', `arp,arp_op=2,arp_tpa=${ip}`);
    add('from-remote-arp', `arp,arp_op=1,arp_spa=${ip}`);
    add('to-remote-tcp', `tcp,nw_dst=${ip},tp_dst=${port}`);
    add('from-remote-tcp', `tcp,nw_src=${ip},tp_src=${port}`);
  }
  return wanted;
}

export class InBand {
  /** Asks the machine; where there is none behind the bridge (dummy devices) this says so. */
  nextHop: (ip: string) => NextHop = () => ({ error: 'Operation not supported' });
  private settings: InBandSettings = { enabled: true, queue: null };
  private controllers: readonly InBandRemote[] = [];
  private managers: readonly InBandRemote[] = [];
  private remotes: Remote[] = [];
  private readonly rules = new Map<string, Rule>();
  private localMac: Uint8Array | null = null;
  private nextRefreshMs = NEVER;
  private dirty = false;

  constructor(private readonly ofproto: Ofproto) {}

  /** DHCP's answers go to the local port whatever the tables say. */
  get active(): boolean {
    return this.remotes.length > 0;
  }

  /** Hidden entries of table 0. */
  get nRules(): number {
    return this.rules.size;
  }

  configure(settings: InBandSettings): void {
    const { enabled, queue } = this.settings;
    if (settings.enabled === enabled && settings.queue === queue) return;
    this.settings = settings;
    // Their actions may be others.
    this.removeRules([...this.rules.keys()]);
    this.updateRemotes();
  }

  /** Controllers that are reached in-band. */
  setControllers(remotes: readonly InBandRemote[]): void {
    this.controllers = remotes;
    this.updateRemotes();
  }

  /** Managers of the database, which must be reached for controllers to be set. */
  setManagers(remotes: readonly InBandRemote[]): void {
    this.managers = remotes;
    this.updateRemotes();
  }

  private updateRemotes(): void {
    const wanted = this.settings.enabled ? [...this.controllers, ...this.managers] : [];
    const known = new Map(this.remotes.map((remote) => [`${remote.ip}:${remote.port}`, remote]));
    const next = wanted.map(
      ({ ip, port }) => known.get(`${ip}:${port}`) ?? { ip, port, mac: null, error: null },
    );
    const same = next.length === this.remotes.length && next.every((r) => this.remotes.includes(r));
    if (same && !this.dirty && (next.length === 0) === (this.rules.size === 0)) return;
    this.remotes = next;
    this.nextRefreshMs = next.length > 0 ? 0 : NEVER;
    this.dirty = true;
    this.ofproto.backer.wake();
  }

  run(now: number): void {
    if (this.refreshLocal()) this.dirty = true;
    if (now >= this.nextRefreshMs && this.refreshRemotes(now)) this.dirty = true;
    if (!this.dirty) return;
    this.dirty = false;
    this.update(now);
  }

  nextWake(): number {
    return this.dirty ? 0 : this.nextRefreshMs;
  }

  private refreshLocal(): boolean {
    if (!this.active) return false;
    const mac = this.ofproto.portByNo(OFPP.LOCAL)?.device.etherAddr() ?? null;
    const text = (bytes: Uint8Array | null): string => bytes?.join() ?? '';
    if (text(mac) === text(this.localMac)) return false;
    this.localMac = mac && Uint8Array.from(mac);
    return true;
  }

  private refreshRemotes(now: number): boolean {
    let changed = false;
    this.nextRefreshMs = now + REFRESH_MS;
    for (const remote of this.remotes) {
      const found = this.nextHop(remote.ip);
      const error = 'error' in found ? found.error : null;
      const mac = 'error' in found ? null : found.mac;
      if (error !== null && error !== remote.error) {
        const { name } = this.ofproto;
        log.warn(`${name}: cannot find route for controller (${remote.ip}): ${error}`);
      }
      remote.error = error;
      if (mac === null) this.nextRefreshMs = now + REFRESH_SOON_MS;
      if (mac?.join() === remote.mac?.join()) continue;
      changed = true;
      remote.mac = mac;
    }
    return changed;
  }

  /** Makes the hidden entries those that are wanted now. */
  private update(now: number): void {
    const wanted = wantedEntries(this.localMac, this.remotes);
    const kept = (match: string, { priority }: Rule): boolean => {
      const kind = wanted.get(match);
      return kind !== undefined && PRIORITY + KINDS.indexOf(kind) === priority;
    };
    this.removeRules([...this.rules].filter(([m, r]) => !kept(m, r)).map(([match]) => match));
    const { queue } = this.settings;
    const normal: OfAction = { type: 'output', port: OFPP.NORMAL, maxLen: 0 };
    const actions: OfAction[] = queue === null ? [normal] : [{ type: 'set_queue', queue }, normal];
    for (const [text, kind] of wanted) {
      if (this.rules.has(text)) continue;
      const { match } = parseFlow(text, 'delete', NO_NAMES).flow;
      const base = { ...this.ofproto.noPacketInRule, priority: PRIORITY + KINDS.indexOf(kind) };
      const rule = new Rule({ ...base, tableId: 0, match, actions }, now);
      this.ofproto.tables[0].cls.insert(rule);
      this.rules.set(text, rule);
    }
    this.ofproto.tablesChanged();
  }

  private removeRules(matches: readonly string[]): void {
    for (const match of matches) {
      const rule = this.rules.get(match);
      this.rules.delete(match);
      if (rule !== undefined) this.ofproto.tables[0].drop(rule);
    }
    if (matches.length === 0) return;
    this.dirty = true;
    this.ofproto.tablesChanged();
  }
}
