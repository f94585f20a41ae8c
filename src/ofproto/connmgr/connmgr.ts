/**
 * All OpenFlow connections of a bridge: its control socket, controllers, and what they are told.
 *
 *     BRIDGE.mgmt, ptcp:, punix: --> OfListener --> OfConn (service)
 *     tcp:, unix: targets        --> Controller --> OfConn (primary), made again when lost
 *
 *     packet-ins, flow-removed, port-status --> every connection that wants them
 *
 * Fail mode: without controllers a standalone bridge has one visible entry, priority 0 to NORMAL.
 * With controllers that have all been lost for three probe intervals it gets a hidden one above all
 * others, until one is back. A secure bridge forwards what its tables say, nothing else.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { NEVER } from '../../common/clock.js';
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { TlsFiles } from '../../common/tls.js';
import { OFPP, type OfAction } from '../../openflow/actions.js';
import { logCodecWarnings } from '../../openflow/codec/warnings.js';
import { matchAny } from '../../openflow/match.js';
import type { OfMessage } from '../../openflow/messages.js';
import { W_IN_PORT } from '../../packet/flow-layout.js';
import { type ControllerActionState, metadataMatch } from '../controller-actions.js';
import type { Ofproto } from '../ofproto.js';
import type { OfPort } from '../port.js';
import { type RemovedReason, Rule } from '../rule.js';
import type { ControllerSettings, ControllerStatus, FailMode } from '../settings.js';
import { BUNDLE_IDLE_MS } from './bundles.js';
import { Controller } from './controller.js';
import { durationBetween } from './duration.js';
import { FailOpen, failsOpenAtMs } from './fail-open.js';
import { type GroupService, NO_GROUPS } from './group-handlers.js';
import { InBand, inBandRemote } from './in-band.js';
import { isPassive, OfListener } from './listener.js';
import { Notices, REMOVED_REASONS } from './notices.js';
import { OfConn } from './ofconn.js';
import { portDesc } from './port-desc.js';
import { continuationOf } from './resume.js';
import { chooseController, snoop } from './snoop.js';

const log = getLogger('connmgr');

/** Wire numbers of what a bridge speaks unless configured otherwise. */
const VERSIONS_DEFAULT: readonly number[] = [1, 2, 3, 4, 5, 6];
/** The entry that makes a switch without controller a switch: hidden from no one. */
const DEFAULT_PRIORITY = 0;
const TO_NORMAL: readonly OfAction[] = [{ type: 'output', port: OFPP.NORMAL, maxLen: 0 }];
/** Of BRIDGE.mgmt. */
const PROBE_MGMT_MS = 60_000;
const PORT_REASONS = ['add', 'delete', 'modify'] as const;
const OF13 = 4;
const OF14 = 5;
const OF15 = 6;
/** OFPR_ACTION; OFPR_INVALID_TTL, the last one that 1.3 has. */
const REASON_ACTION = 1;
const REASON_MAX_OF13 = 2;

/** Reasons from 3 on are 'action' before OpenFlow 1.4, and so are table-miss entries before 1.3. */
function wireReason({ miss, reason }: ControllerActionState, version: number): number {
  if (miss === 'explicit' && version < OF13) return REASON_ACTION;
  return reason > REASON_MAX_OF13 && version < OF14 ? REASON_ACTION : reason;
}

/** As the module vconn names who connected. */
function peerName(socket: Socket, number: number): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return `unix#${number}`;
  const host = remoteAddress.includes(':') ? `[${remoteAddress}]` : remoteAddress;
  return `${socket instanceof TLSSocket ? 'ssl' : 'tcp'}:${host}:${remotePort}`;
}

/** Whoever is connected to is in charge of the bridge unless told otherwise, others are not. */
function isInCharge({ target, kind }: ControllerSettings): boolean {
  return kind === undefined ? !isPassive(target) : kind === 'primary';
}

/** @param settings of the target where it connected; undefined: the bridge's own socket */
function configure(conn: OfConn, settings: ControllerSettings | undefined): void {
  conn.probe.configure(settings?.inactivityProbeMs ?? PROBE_MGMT_MS);
  if (settings?.async !== undefined) conn.configure(settings.async);
}

/** What connections are to be told, in order. */
export type HeldEvents = [OfConn, OfMessage][];

export class Connmgr {
  private readonly conns = new Set<OfConn>();
  private readonly controllers = new Map<string, Controller>();
  private readonly listeners = new Map<string, OfListener>();
  /** What the configuration says of who connects to a target. */
  private readonly passive = new Map<string, ControllerSettings>();
  private mgmt: OfListener | null = null;
  private snoops: OfListener | null = null;
  /** How to end each. */
  private readonly snoopers = new Set<() => void>();
  private failMode: FailMode = 'standalone';
  private versions = VERSIONS_DEFAULT;
  private generation: bigint | null = null;
  private sawMissWanted = false;
  private nConns = 0;
  private closed = false;
  private held: HeldEvents | null = null;
  /** Groups and meters of the bridge; set by what has them. */
  groups: GroupService = NO_GROUPS;
  private bundleIdle = BUNDLE_IDLE_MS;
  private tls: TlsFiles = {};
  readonly inBand: InBand;
  private readonly failOpen: FailOpen;
  readonly notices = new Notices(
    () => this.all(),
    (conn, msg) => this.tell(conn, msg),
  );

  constructor(private readonly ofproto: Ofproto) {
    logCodecWarnings(ofproto.clock);
    this.inBand = new InBand(ofproto);
    this.failOpen = new FailOpen(ofproto, () => this.dueToFailOpenMs());
  }

  // Configuration.

  /** Serves the bridge's control socket; rejects when the path cannot be listened on. */
  async listenMgmt(path: string): Promise<void> {
    this.mgmt?.close();
    this.mgmt = new OfListener(`punix:${path}`, (socket) => this.accept(socket));
    await this.mgmt.open();
    await this.listenSnoop(path);
  }

  /** BRIDGE.snoop, beside BRIDGE.mgmt. */
  private async listenSnoop(mgmtPath: string): Promise<void> {
    if (!mgmtPath.endsWith('.mgmt')) return;
    this.snoops?.close();
    const target = `punix:${mgmtPath.replace(/mgmt$/, 'snoop')}`;
    this.snoops = new OfListener(target, (socket) => this.acceptSnoop(socket));
    await this.snoops.open();
  }

  private acceptSnoop(socket: Socket): undefined {
    const controller = chooseController(this.controllers.values());
    if (controller === null) {
      log.warn(`${this.ofproto.name}: no controller connection to snoop`);
      socket.destroy();
      return;
    }
    const end = snoop(socket, controller, () => this.snoopers.delete(end));
    this.snoopers.add(end);
  }

  setProtocols(versions: readonly number[]): void {
    const next = versions.length > 0 ? [...versions] : VERSIONS_DEFAULT;
    if (next.join() === this.versions.join()) return;
    this.versions = next;
    this.reconnectAll();
  }

  /** After how many milliseconds without news a bundle is given up. */
  get bundleIdleMs(): number {
    return this.bundleIdle;
  }

  /** 0: the default; otherwise a second at least. */
  set bundleIdleMs(ms: number) {
    this.bundleIdle = ms === 0 ? BUNDLE_IDLE_MS : Math.max(1000, ms);
  }

  /** Keys for connections made from now on; listening sockets get them at once. */
  setTls(files: TlsFiles): void {
    if (isDeepStrictEqual(files, this.tls)) return;
    this.tls = files;
    const secure = [...this.listeners.keys()].filter((target) => target.startsWith('pssl:'));
    this.closeListeners((target) => secure.includes(target));
    for (const target of secure) this.listen(target);
  }

  setFailMode(mode: FailMode): void {
    if (mode === this.failMode) return;
    this.failMode = mode;
    if (!this.hasControllers) this.ofproto.flushFlows();
  }

  setControllers(list: readonly ControllerSettings[]): void {
    const had = this.hasControllers;
    const wanted = new Map(list.map((c) => [c.target, c]));
    const stays = ({ target, kind }: ControllerSettings): boolean =>
      wanted.has(target) && wanted.get(target)?.kind === kind;
    for (const [target, controller] of this.controllers) {
      if (stays(controller.settings)) continue;
      this.controllers.delete(target);
      controller.close();
    }
    for (const settings of this.passive.values()) {
      if (stays(settings)) continue;
      this.passive.delete(settings.target);
      this.closeListeners((target) => target === settings.target);
    }
    for (const settings of wanted.values()) this.ensureController(settings);
    const inBand = list.filter(({ connectionMode }) => connectionMode === 'in-band');
    this.inBand.setControllers(inBand.flatMap(({ target }) => inBandRemote(target) ?? []));
    if (had !== this.hasControllers) this.ofproto.flushFlows();
  }

  private ensureController(settings: ControllerSettings): void {
    const { target } = settings;
    const known = this.controllers.get(target);
    if (known !== undefined) known.settings = settings;
    else if (isPassive(target)) this.listenFor(settings);
    else {
      const changed = (): void => this.connectionsChanged();
      const [versions, tls] = [() => this.versions, () => this.tls];
      const controller = new Controller(this.ofproto, settings, versions, tls, changed);
      this.controllers.set(target, controller);
    }
  }

  /** Who connects there gets these settings, and who is connected already. */
  private listenFor(settings: ControllerSettings): void {
    const { target } = settings;
    this.passive.set(target, settings);
    this.listen(target);
    for (const conn of this.conns) if (conn.acceptedAt === target) configure(conn, settings);
  }

  private listen(target: string): void {
    if (this.listeners.has(target)) return;
    const serve = (socket: Socket) => this.accept(socket, target);
    const listener = new OfListener(target, serve, this.tls, this.ofproto.clock);
    this.listeners.set(target, listener);
    listener.open().catch((error: unknown) => {
      log.warn(`${this.ofproto.name}: cannot listen on ${target}: ${errorMessage(error)}`);
      if (this.listeners.get(target) === listener) this.listeners.delete(target);
    });
  }

  private closeListeners(which: (target: string) => boolean): void {
    for (const [target, listener] of this.listeners) {
      if (!which(target)) continue;
      this.listeners.delete(target);
      listener.close();
    }
  }

  /** Snooping is served on BRIDGE.snoop alone: other targets are said to be without effect. */
  setSnoops(targets: readonly string[]): void {
    for (const target of targets) {
      if (target.endsWith(`/${this.ofproto.name}.snoop`)) continue;
      log.warn(`${this.ofproto.name}: snooping on ${target} not served`);
    }
  }

  /** Some controller is in charge of the bridge, connected or not. */
  private get hasControllers(): boolean {
    for (const { settings } of this.controllers.values()) if (isInCharge(settings)) return true;
    for (const settings of this.passive.values()) if (isInCharge(settings)) return true;
    return false;
  }

  controllerStatus(): ControllerStatus[] {
    return [...this.controllers.values()].map((controller) => controller.status());
  }

  // Connections.

  /** @returns when the peer was last heard */
  private accept(socket: Socket, at = ''): () => number {
    this.nConns += 1;
    const vconnName = peerName(socket, this.nConns);
    const conn = new OfConn(this.ofproto, socket, {
      kind: this.passive.get(at)?.kind ?? 'service',
      versions: this.versions,
      name: `${this.ofproto.name}<->${vconnName}`,
      vconnName,
      onOpen: () => this.connectionsChanged(),
      onClose: () => {
        this.conns.delete(conn);
        this.connectionsChanged();
      },
    });
    conn.acceptedAt = at;
    configure(conn, this.passive.get(at));
    this.conns.add(conn);
    return () => (conn.working ? Number.POSITIVE_INFINITY : conn.lastReceivedMs);
  }

  get nConnections(): number {
    return [...this.all()].length;
  }

  private *all(): Generator<OfConn> {
    yield* this.conns;
    for (const controller of this.controllers.values()) {
      if (controller.conn !== null) yield controller.conn;
    }
  }

  /** Whether packets without entry are wanted may be another answer now. */
  connectionsChanged(): void {
    if (this.closed) return;
    const wanted = this.wantsPacketInOnMiss();
    if (wanted !== this.sawMissWanted) this.ofproto.markRevalidate();
    this.sawMissWanted = wanted;
    this.failOpen.run(this.ofproto.clock.now());
  }

  wantsPacketInOnMiss(): boolean {
    for (const conn of this.all()) if (conn.wantsMisses) return true;
    return false;
  }

  reconnectAll(): void {
    for (const conn of [...this.conns]) conn.close();
    for (const controller of this.controllers.values()) controller.reconnect();
  }

  /** Only one connection is primary at a time. */
  demoteOthers(winner: OfConn): void {
    for (const conn of this.all()) {
      if (conn === winner || conn.role !== 'primary') continue;
      conn.role = 'secondary';
      this.notices.roleLost(conn, this.generation);
    }
  }

  /** Of the last role request that had one. */
  get generationId(): bigint | undefined {
    return this.generation ?? undefined;
  }

  /** Takes a role request's generation over. @returns false when it is older than the last */
  takeGeneration(id: bigint): boolean {
    if (this.generation !== null && BigInt.asIntN(64, id - this.generation) < 0n) return false;
    this.generation = id;
    return true;
  }

  // What connections are told.

  /**
   * Sends a packet to the connections that a controller action means. It is sent whole, whatever
   * max_len says: nothing is buffered here, so what is cut off would be lost.
   */
  sendPacketIn(state: ControllerActionState, data: Uint8Array): void {
    const { flow } = state;
    const metadata = metadataMatch(state);
    const implicitMiss = state.miss === 'implicit';
    for (const conn of this.all()) {
      if (conn.controllerId !== state.controllerId) continue;
      if (implicitMiss && conn.version >= OF13) continue;
      const reason = wireReason(state, conn.version);
      if (!conn.wants('packetIn', reason)) continue;
      const msg: OfMessage = {
        type: 'packet_in',
        bufferId: 0xffffffff,
        totalLen: data.length,
        inPort: flow[W_IN_PORT] >>> 0,
        reason,
        table: state.tableId,
        cookie: state.cookie,
        data,
        metadata,
        userdata: state.userdata,
        continuation: continuationOf(state),
        format: conn.packetInFormat,
      };
      conn.sendPacketIn(msg, flow[W_IN_PORT], state.miss !== 'none');
    }
  }

  private tell(conn: OfConn, msg: OfMessage): void {
    if (this.held === null) conn.sendAsync(msg);
    else this.held.push([conn, msg]);
  }

  /** What is told from now on is kept until it is known whether it stays; null: not any more. */
  hold(held: HeldEvents | null): void {
    this.held = held;
  }

  releaseEvents(held: HeldEvents): void {
    for (const [conn, msg] of held.splice(0)) conn.sendAsync(msg);
  }

  sendFlowRemoved(rule: Rule, why: RemovedReason): void {
    const reason = REMOVED_REASONS.indexOf(why);
    const age = durationBetween(rule.createdMs, this.ofproto.clock.now());
    for (const conn of this.all()) {
      if (!conn.wants('flowRemoved', reason)) continue;
      this.tell(conn, {
        type: 'flow_removed',
        match: rule.match,
        table: rule.tableId,
        priority: rule.priority,
        cookie: rule.cookie,
        reason,
        ...age,
        idleTimeout: rule.idleTimeout,
        hardTimeout: rule.hardTimeout,
        packets: BigInt(rule.packets),
        bytes: BigInt(rule.bytes),
      });
    }
  }

  /**
   * @param how.liveOnly nothing but OFPPS_LIVE changed, which OpenFlow 1.0 does not have
   * @param how.source whose port-mod it was; before 1.5 it is not told of that
   */
  sendPortStatus(
    port: OfPort,
    why: (typeof PORT_REASONS)[number],
    how: { liveOnly?: boolean; source?: OfConn | null } = {},
  ): void {
    const reason = PORT_REASONS.indexOf(why);
    for (const conn of this.all()) {
      if (!conn.wants('portStatus', reason) || (how.liveOnly && conn.version === 1)) continue;
      if (conn === how.source && conn.version < OF15) continue;
      this.tell(conn, { type: 'port_status', reason, desc: portDesc(port) });
    }
  }

  // Fail mode.

  /** Puts the default entry in where a bridge without controllers is to switch by itself. */
  applyFailMode(): void {
    if (!this.hasControllers && this.failMode === 'standalone') this.addDefaultFlow();
    this.failOpen.run(this.ofproto.clock.now());
  }

  private addDefaultFlow(): void {
    this.ofproto.finishDraft();
    const [table] = this.ofproto.tables;
    const match = matchAny();
    if (table.cls.find(match, DEFAULT_PRIORITY) !== null) return;
    const spec = { ...this.ofproto.noPacketInRule, match, tableId: 0, actions: TO_NORMAL };
    table.cls.insert(new Rule(spec, this.ofproto.clock.now()));
    this.ofproto.tablesChanged();
  }

  private dueToFailOpenMs(): number {
    if (this.failMode !== 'standalone' || !this.hasControllers) return NEVER;
    for (const { kind, open } of this.conns) if (kind === 'primary' && open) return NEVER;
    const inCharge = [...this.controllers.values()].filter(({ settings }) => isInCharge(settings));
    return failsOpenAtMs(inCharge);
  }

  /** Entries of table 0 that controllers do not see. */
  get nHidden(): number {
    return this.inBand.nRules + (this.failOpen.active ? 1 : 0);
  }

  // Time.

  run(now: number): void {
    // What lets a connection through is there before the connection is tried.
    this.inBand.run(now);
    for (const controller of this.controllers.values()) controller.run(now);
    this.failOpen.run(now);
    for (const conn of this.all()) conn.run(now);
  }

  nextWake(): number {
    let next = Math.min(this.failOpen.nextWake(), this.inBand.nextWake());
    for (const conn of this.all()) next = Math.min(next, conn.nextWake());
    for (const controller of this.controllers.values()) {
      next = Math.min(next, controller.nextWake());
    }
    return next;
  }

  close(): void {
    this.closed = true;
    for (const controller of this.controllers.values()) controller.close();
    this.controllers.clear();
    this.closeListeners(() => true);
    this.mgmt?.close();
    this.snoops?.close();
    for (const end of [...this.snoopers]) end();
    for (const conn of [...this.conns]) conn.close();
  }
}
