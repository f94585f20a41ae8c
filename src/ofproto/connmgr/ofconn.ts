/**
 * One OpenFlow connection to a bridge: its role, what it wants to hear of, and its requests in
 * order.
 *
 *     frames -> OfConnection -> queue -> handler -> reply
 *                                \ a handler that must wait (barrier, a long dump) stops the queue,
 *                                  and the socket when that is long: later requests see everything
 *                                  that earlier ones did. So does a peer that leaves its answers
 *                                  unread: it is read again once it has taken them.
 *
 * Not for: what requests do (handlers.ts), or making connections (connmgr.ts, controller.ts).
 */
import type { Socket } from 'node:net';
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import { type RateLimitedLogger, rateLimited } from '../../common/log-rate-limit.js';
import { loadNative, nativeAvailable } from '../../native/binding.js';
import { ActionMemo } from '../../openflow/codec/action-memo.js';
import { OfpError } from '../../openflow/errors.js';
import type { OfMessage } from '../../openflow/messages.js';
import type { AsyncChange, Role } from '../../openflow/messages-control.js';
import { OfConnection } from '../../openflow/vconn.js';
import type { Ofproto } from '../ofproto.js';
import type { AsyncSettings } from '../settings.js';
import { Bundles } from './bundles.js';
import { FlowModReport } from './flow-mod-report.js';
import { FlowMonitors } from './flow-monitors.js';
import { executeBundled, handleMessage, prepareBundled } from './handlers.js';
import { InactivityProbe } from './inactivity-probe.js';
import { MultipartRequests } from './multipart.js';
import { PacketInLimit } from './packet-in-limit.js';

const log = getLogger('connmgr');
const flowLog = getLogger('ofp_flow');
const LEFT_OUT =
  'Flow exceeded the maximum flow statistics reply size and was excluded from the response set';

/** 'primary': a configured controller; 'service': whoever connected to the bridge. */
export type OfConnKind = 'primary' | 'service';

/** Bytes of a packet without entry that a controller gets unless it says otherwise. */
const MISS_SEND_LEN_DEFAULT = 128;
/** Unanswered bytes after which packet-ins and the like are dropped for a slow peer. */
const ASYNC_BACKLOG_MAX = 1024 * 1024;
/**
 * Unread bytes after which nothing more is asked for. That is more than what nobody asked for can
 * be: a controller that writes what it makes of packets before it reads on must not be stuck.
 */
const UNREAD_MAX = 2 * ASYNC_BACKLOG_MAX;
/** Requests that are read while one takes its time. */
const QUEUE_MAX = 64;
const OF13 = 4;
const OF14 = 5;
/** Bit of the reason 'action', which 1.4 divides further: action_set, group, packet_out. */
/** Numbers of messages that switches send: answers, packet-in, flow-removed and the like. */
const FROM_SWITCH_OF10 = [6, 8, 10, 11, 12, 17, 19, 21];
const FROM_SWITCH_OF11 = [6, 8, 10, 11, 12, 19, 21, 23, 25, 27, 30, 31, 32];
const REASON_ACTION = 1 << 1;
const REASONS_ACTION14 = 0b111010;
/** Of these, what OpenFlow 1.3 has. */
const REASONS_OF13 = 0b111;
/** Reasons of removal by version: 1.3 knows of groups, 1.4 of meters and eviction. */
const REMOVED_ALL = 0x3f;
const REMOVED_DEFAULT: Record<number, number> = { 1: 7, 2: 7, 3: 7, 4: 0xf };

/** Of all connections to the process. */
const memo = new ActionMemo();

/** Bits by reason: [primary or equal, secondary]. */
export interface AsyncMasks {
  packetIn: [number, number];
  portStatus: [number, number];
  flowRemoved: [number, number];
  roleStatus?: [number, number];
  tableStatus?: [number, number];
  requestForward?: [number, number];
}

const NOTHING: AsyncMasks = { packetIn: [0, 0], portStatus: [0, 0], flowRemoved: [0, 0] };

export interface Request {
  msg: OfMessage;
  xid: number;
  frame: Uint8Array;
}

export interface OfConnOptions {
  kind: OfConnKind;
  versions: readonly number[];
  /** The name in logs: 'br0<->unix#3'. */
  name: string;
  /** Its name in the module vconn's debug log: 'unix#3', 'tcp:10.0.0.1:6653'. */
  vconnName: string;
  onOpen?(): void;
  onClose?(reason: Error | null): void;
}

export class OfConn {
  readonly connection: OfConnection;
  readonly kind: OfConnKind;
  role: Exclude<Role, 'nochange'> = 'equal';
  missSendLen: number;
  packetInFormat: 'standard' | 'nxt_packet_in' | 'nxt_packet_in2' = 'standard';
  controllerId = 0;
  /** The passive target that it connected to. */
  acceptedAt = '';
  invalidTtlToController = false;
  /** Set by a controller; null: the version's default. */
  asyncMasks: AsyncMasks | null = null;
  /** Clock time of the last frame received. */
  lastReceivedMs: number;
  /** Asks a peer that connected by itself whether it is still there. */
  readonly probe = new InactivityProbe(this);
  readonly bundles = new Bundles(this, { execute: executeBundled, prepare: prepareBundled });
  readonly monitors = new FlowMonitors(this);
  readonly multipart = new MultipartRequests(this);
  readonly flowMods: FlowModReport;
  private async: AsyncSettings | null = null;
  /** Packets that matched nothing, and others, each with tokens of their own. */
  private limits: { miss: PacketInLimit<OfMessage>; action: PacketInLimit<OfMessage> } | null =
    null;
  /** Where each packet that the peer has not read ends, in bytes since the beginning. */
  private unreadEnds: number[] = [];
  private readonly queue: Request[] = [];
  private busy = false;
  private drainWaiters: (() => void)[] = [];
  /** Peers cause these lines. */
  private readonly refusals: RateLimitedLogger;

  constructor(
    readonly ofproto: Ofproto,
    socket: Socket,
    private readonly options: OfConnOptions,
  ) {
    this.kind = options.kind;
    this.flowMods = new FlowModReport(options.name, ofproto.clock);
    this.refusals = rateLimited(log, ofproto.clock, { burst: 10, perMinute: 10 });
    this.missSendLen = options.kind === 'primary' ? MISS_SEND_LEN_DEFAULT : 0;
    this.lastReceivedMs = ofproto.clock.now();
    const leftOut = rateLimited(flowLog, ofproto.clock, { burst: 10, perMinute: 60 });
    this.connection = new OfConnection(socket, {
      versions: options.versions,
      name: options.vconnName,
      clock: ofproto.clock,
      calls: nativeAvailable() ? loadNative() : null,
      onOpen: () => options.onOpen?.(),
      onFrames: () => {
        this.lastReceivedMs = ofproto.clock.now();
        // Echo requests and messages that do not decode are answered before the queue.
        this.readOrWait();
      },
      onMessage: (msg, xid, frame) => this.enqueue({ msg, xid, frame }),
      onBadFrame: (_error, xid, frame) => this.refuseAnswer(xid, frame),
      onDrain: () => this.drained(),
      onEmpty: () => this.monitors.drained(),
      onClose: (reason) => {
        this.flowMods.log();
        this.bundles.clear();
        this.drained();
        this.options.onClose?.(reason);
      },
    });
    this.connection.codec.memo = memo;
    this.connection.codec.onLeftOut = () => leftOut.warn(LEFT_OUT);
  }

  /** What only switches say is not looked at more closely. */
  private refuseAnswer(xid: number, frame: Uint8Array): boolean {
    const { version } = this.connection;
    const types = version === 1 ? FROM_SWITCH_OF10 : FROM_SWITCH_OF11;
    if (frame[0] !== version || !types.includes(frame[1])) return false;
    this.connection.sendError('OFPBRC_BAD_TYPE', xid, frame);
    return true;
  }

  /** A request of it is being carried out, others wait for that. */
  get working(): boolean {
    return this.busy;
  }

  get name(): string {
    return this.options.name;
  }

  get open(): boolean {
    return !this.connection.closed && this.connection.version !== 0;
  }

  get version(): number {
    return this.connection.version;
  }

  /** Answers a request. */
  reply(msg: OfMessage, xid: number): void {
    this.connection.send(msg, xid);
  }

  /** Resolves when a long reply may go on. */
  whenUncongested(): Promise<void> {
    if (!this.connection.congested || this.connection.closed) return Promise.resolve();
    return new Promise((resolve) => this.drainWaiters.push(resolve));
  }

  private drained(): void {
    const waiters = this.drainWaiters;
    this.drainWaiters = [];
    for (const resolve of waiters) resolve();
    this.readOrWait();
  }

  private get unreadMuch(): boolean {
    return this.connection.queuedBytes > UNREAD_MAX;
  }

  /** Nothing more is read while much waits: requests for their turn, or answers for the peer. */
  private readOrWait(): void {
    const { socket } = this.connection;
    // Some are read beyond those that wait: echo requests must not wait with them.
    if (this.unreadMuch || this.queue.length >= QUEUE_MAX) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  /** Sends what nobody asked for, unless the peer is slow to read. @returns false if dropped */
  sendAsync(msg: OfMessage): boolean {
    if (!this.open || this.connection.queuedBytes > ASYNC_BACKLOG_MAX) return false;
    try {
      // Packets come in numbers.
      this.connection.gather();
      // Nobody asked for it: its transaction is 0.
      this.connection.send(msg, 0);
      return true;
    } catch (error) {
      log.dbg(`${this.name}: ${msg.type} not sent: ${errorMessage(error)}`);
      return false;
    }
  }

  /** Takes what the configuration says of it over. */
  configure(settings: AsyncSettings): void {
    this.async = settings;
    if (settings.ratePps <= 0) {
      this.limits = null;
      return;
    }
    const { clock } = this.ofproto;
    const make = () => new PacketInLimit<OfMessage>(clock, (msg) => this.sendPacketInNow(msg));
    this.limits ??= { miss: make(), action: make() };
    for (const limit of Object.values(this.limits))
      limit.configure(settings.ratePps, settings.burst);
  }

  /** Tells of a packet, as fast as its limit allows. @param port that it came from */
  sendPacketIn(msg: OfMessage, port: number, miss: boolean): void {
    const limit = this.limits?.[miss ? 'miss' : 'action'];
    if (limit === undefined) {
      this.sendPacketInNow(msg);
      return;
    }
    const before = limit.statistics.backlog;
    limit.offer(port, msg);
    if (before === 0 && limit.statistics.backlog > 0) this.ofproto.backer.wake();
  }

  private sendPacketInNow(msg: OfMessage): void {
    const { connection } = this;
    const most = this.async?.queueMax ?? 0;
    if (most > 0) {
      const taken = connection.bytesTaken;
      this.unreadEnds = this.unreadEnds.filter((end) => end > taken);
      if (this.unreadEnds.length >= most) return;
    }
    if (this.sendAsync(msg) && most > 0) this.unreadEnds.push(connection.bytesQueued);
  }

  /** Counters of limited packets, by their names in the database. */
  get packetInCounts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const [name, limit] of Object.entries(this.limits ?? {})) {
      for (const [what, n] of Object.entries(limit.statistics)) {
        counts.set(`packet-in-${name}-${what}`, n);
      }
    }
    return counts;
  }

  /**
   * Sends what must not be lost.
   * @returns its length in bytes, or null when the peer has left so much unread that it is refused
   */
  sendCounted(msg: OfMessage, xid = 0): number | null {
    const { connection } = this;
    const { bytesQueued, framesRefused } = connection;
    try {
      if (!connection.closed) connection.send(msg, xid);
    } catch (error) {
      log.dbg(`${this.name}: ${msg.type} not sent: ${errorMessage(error)}`);
    }
    return connection.framesRefused > framesRefused ? null : connection.bytesQueued - bytesQueued;
  }

  /** Whether this connection wants asynchronous messages of a kind and reason. */
  wants(kind: keyof AsyncMasks, reason: number): boolean {
    // Local tools hear only what they ask for.
    if (!this.open || (this.kind === 'service' && this.missSendLen === 0)) return false;
    const masks = this.asyncMasks ?? this.defaultMasks();
    const mask = masks[kind]?.[this.role === 'secondary' ? 1 : 0] ?? 0;
    return (mask & (1 << reason)) !== 0;
  }

  defaultMasks(): AsyncMasks {
    if (this.async?.enabled === false) return { ...NOTHING };
    // All reasons but invalid_ttl, which set_config asks for: those of 1.4 read 'action' before.
    const packetIn = 0b111011 | (this.invalidTtlToController ? 1 << 2 : 0);
    const flowRemoved = REMOVED_DEFAULT[this.version] ?? REMOVED_ALL;
    return { packetIn: [packetIn, 0], portStatus: [0b111, 0b111], flowRemoved: [flowRemoved, 0] };
  }

  /** Settings as its version has them. */
  toldMasks(): AsyncMasks {
    const masks = this.asyncMasks ?? this.defaultMasks();
    if (this.version >= OF14) return masks;
    const [primary, secondary] = masks.packetIn;
    return { ...masks, packetIn: [primary & REASONS_OF13, secondary & REASONS_OF13] };
  }

  /** Changes the settings that the message has; the others stay as they are. */
  takeAsync({ packetIn, portStatus, flowRemoved }: AsyncMasks): void {
    const now = this.asyncMasks ?? this.defaultMasks();
    this.setAsync({ ...now, packetIn, portStatus, flowRemoved });
  }

  /** Changes single settings; the others stay as they are. */
  changeAsync(changes: readonly AsyncChange[]): void {
    const now = this.asyncMasks ?? this.defaultMasks();
    const masks: AsyncMasks = { ...now };
    for (const { kind, secondary, mask } of changes) {
      const [primary, other] = masks[kind] ?? [0, 0];
      masks[kind] = secondary ? [primary, mask] : [mask, other];
    }
    this.setAsync(masks);
  }

  /** Whoever says what it wants to hear is told of it, local tools too. */
  private setAsync(masks: AsyncMasks): void {
    const { packetIn } = masks;
    const actions = (mask: number): number =>
      (mask & REASON_ACTION) !== 0 ? mask | REASONS_ACTION14 : mask;
    const [primary, secondary] = this.version < OF14 ? packetIn.map(actions) : packetIn;
    this.asyncMasks = { ...masks, packetIn: [primary, secondary] };
    if (this.kind === 'service' && this.missSendLen === 0) {
      this.missSendLen = MISS_SEND_LEN_DEFAULT;
    }
  }

  /** Packets that match no entry go to whoever listens with a version before 1.3. */
  get wantsMisses(): boolean {
    return this.wants('packetIn', 0) && this.version < OF13 && this.controllerId === 0;
  }

  private enqueue(request: Request): void {
    this.queue.push(request);
    this.work();
    this.readOrWait();
  }

  private work(): void {
    while (!this.busy && !this.connection.closed) {
      const request = this.queue.shift();
      if (request === undefined) return;
      const pending = this.handle(request) ?? (this.unreadMuch ? this.whenUncongested() : null);
      if (pending === null) continue;
      this.busy = true;
      pending.finally(() => {
        this.busy = false;
        this.work();
        this.readOrWait();
      });
    }
  }

  /** @returns null when it is done, else a promise that never rejects */
  private handle(request: Request): Promise<void> | null {
    try {
      const pending = handleMessage(this, request);
      return pending?.catch((error: unknown) => this.refuse(error, request)) ?? null;
    } catch (error) {
      this.refuse(error, request);
      return null;
    }
  }

  private refuse(error: unknown, request: Request): void {
    if (this.connection.closed) return;
    if (!(error instanceof OfpError)) {
      log.err(`${this.name}: ${request.msg.type} failed: ${errorMessage(error)}`);
    } else {
      this.refusals.info(`${this.name}: sending ${error.error} error reply to ${request.msg.type}`);
    }
    const name = error instanceof OfpError ? error.error : 'OFPBRC_EPERM';
    this.connection.sendError(name, request.xid, request.frame);
  }

  run(now: number): void {
    this.probe.run(now);
    this.bundles.run(now);
    this.multipart.run(now);
    this.flowMods.run(now);
    for (const limit of Object.values(this.limits ?? {})) limit.run();
  }

  nextWake(): number {
    const limits = Object.values(this.limits ?? {});
    const parts = [this.probe, this.bundles, this.multipart, this.flowMods, ...limits];
    return Math.min(...parts.map((part) => part.nextWake()));
  }

  close(): void {
    this.connection.close();
  }
}
