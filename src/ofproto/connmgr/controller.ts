/**
 * A configured controller: a connection that is made again whenever it is lost.
 *
 *     void -> backoff -> connecting -> active <-> idle (echo sent, waiting)
 *               ^------------'----------'-----------'
 *
 * Waits 1 s after a loss, twice as long after each failure, up to `maxBackoffMs`. A connection on
 * which nothing came for `inactivityProbeMs` is probed; as long again without answer ends it.
 */
import type { Socket } from 'node:net';
import { type Clock, NEVER } from '../../common/clock.js';
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import type { TlsFiles } from '../../common/tls.js';
import type { Ofproto } from '../ofproto.js';
import type { ControllerSettings, ControllerStatus } from '../settings.js';
import { OfConn } from './ofconn.js';
import { bootstrapDone, openStream, streamErrorText } from './stream.js';

const log = getLogger('rconn');

const BACKOFF_FIRST_MS = 1000;

/** Told of every frame after the greeting, in either direction. */
export type Tap = (frame: Uint8Array) => void;

type State = 'BACKOFF' | 'CONNECTING' | 'ACTIVE' | 'IDLE';

export class Controller {
  conn: OfConn | null = null;
  private socket: Socket | null = null;
  private state: State = 'BACKOFF';
  private stateSinceMs: number;
  /** Clock time at which it was configured. */
  readonly createdMs: number;
  private backoffMs = 0;
  private nextTryMs = 0;
  private lastError: string | null = null;
  private connectedAtMs: number | null = null;
  private disconnectedAtMs: number | null = null;
  private closed = false;
  /** Who hears every frame, and what tells it that the controller is no more. */
  private readonly taps = new Map<Tap, () => void>();

  constructor(
    private readonly ofproto: Ofproto,
    private current: ControllerSettings,
    private readonly versions: () => readonly number[],
    private readonly tls: () => TlsFiles,
    /** Called when the connection opens and when it is lost. */
    private readonly onChange: (controller: Controller) => void,
  ) {
    this.createdMs = this.clock.now();
    this.stateSinceMs = this.createdMs;
  }

  get settings(): ControllerSettings {
    return this.current;
  }

  set settings(settings: ControllerSettings) {
    this.current = settings;
    if (settings.async !== undefined) this.conn?.configure(settings.async);
  }

  private get clock(): Clock {
    return this.ofproto.clock;
  }

  get connected(): boolean {
    return this.conn?.open === true;
  }

  /** When it last was connected; null while it is, or was never. */
  get lostAtMs(): number | null {
    return this.connected ? null : this.disconnectedAtMs;
  }

  run(now: number): void {
    if (this.closed) return;
    if (this.state === 'BACKOFF' && now >= this.nextTryMs) this.tryConnect(now);
    else if (this.state === 'CONNECTING' && now >= this.stateSinceMs + this.connectMs) {
      this.lost('connection timed out');
    } else if (this.connected) this.probe(now);
  }

  private get connectMs(): number {
    return Math.max(BACKOFF_FIRST_MS, this.backoffMs);
  }

  private get probeMs(): number {
    const { inactivityProbeMs } = this.settings;
    return inactivityProbeMs === 0 ? NEVER : Math.max(1000, inactivityProbeMs);
  }

  private probe(now: number): void {
    const conn = this.conn as OfConn;
    // What it sent may not have been read yet: a bundle is being committed.
    if (conn.working && this.ofproto.draft !== null) conn.lastReceivedMs = now;
    const silentMs = now - conn.lastReceivedMs;
    // An answer counts however late it is looked for.
    if (this.state === 'IDLE' && conn.lastReceivedMs >= this.stateSinceMs) this.enter('ACTIVE');
    if (this.state === 'ACTIVE' && silentMs >= this.probeMs) {
      this.enter('IDLE');
      conn.sendAsync({ type: 'echo_request', data: new Uint8Array(0) });
    } else if (this.state === 'IDLE' && now >= this.stateSinceMs + this.probeMs) {
      const sec = Math.floor((now - this.stateSinceMs) / 1000);
      log.err(`${this.label}: no response to inactivity probe after ${sec} seconds, disconnecting`);
      this.lost('no response to inactivity probe');
    }
  }

  private get label(): string {
    return `${this.ofproto.name}<->${this.settings.target}`;
  }

  nextWake(): number {
    if (this.closed) return NEVER;
    if (this.state === 'BACKOFF') return this.nextTryMs;
    if (this.state === 'CONNECTING') return this.stateSinceMs + this.connectMs;
    if (this.state === 'IDLE') return this.stateSinceMs + this.probeMs;
    return (this.conn?.lastReceivedMs ?? this.stateSinceMs) + this.probeMs;
  }

  private enter(state: State): void {
    this.state = state;
    this.stateSinceMs = this.clock.now();
    this.ofproto.backer.wake();
  }

  private tryConnect(now: number): void {
    this.backoffMs = Math.min(
      Math.max(BACKOFF_FIRST_MS, this.backoffMs * 2),
      Math.max(BACKOFF_FIRST_MS, this.settings.maxBackoffMs),
    );
    this.enter('CONNECTING');
    log.info(`${this.label}: connecting...`);
    try {
      this.open();
    } catch (error) {
      this.lost(errorMessage(error), now);
    }
  }

  /** Throws when a target or the keys that it needs are wrong. */
  private open(): void {
    const { target } = this.settings;
    const { socket, ready } = openStream(target, this.tls());
    this.socket = socket;
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (this.socket === socket && this.conn === null) this.lost(streamErrorText(target, error));
    });
    socket.once(ready, () => {
      if (this.socket !== socket) return;
      if (bootstrapDone(socket, this.tls())) this.lost('CA certificate bootstrapped');
      else this.attach(socket);
    });
  }

  private attach(socket: Socket): void {
    const conn = new OfConn(this.ofproto, socket, {
      kind: this.settings.kind ?? 'primary',
      versions: this.versions(),
      name: this.label,
      vconnName: this.settings.target,
      onOpen: () => {
        log.info(`${this.label}: connected`);
        this.enter('ACTIVE');
        this.connectedAtMs = this.clock.now();
        this.lastError = null;
        this.onChange(this);
      },
      onClose: (reason) => {
        if (this.conn === conn) this.lost(reason?.message ?? 'End of file');
      },
    });
    this.conn = conn;
    if (this.settings.async !== undefined) conn.configure(this.settings.async);
    for (const tap of this.taps.keys()) conn.connection.taps.add(tap);
  }

  /** From now on, also on connections to come. @param onEnd the controller was taken away */
  addTap(tap: Tap, onEnd: () => void): void {
    this.taps.set(tap, onEnd);
    this.conn?.connection.taps.add(tap);
  }

  removeTap(tap: Tap): void {
    this.taps.delete(tap);
    this.conn?.connection.taps.delete(tap);
  }

  private lost(why: string, now = this.clock.now()): void {
    const { conn, socket } = this;
    const wasConnected = this.connectedAtMs !== null && conn !== null;
    this.conn = null;
    this.socket = null;
    conn?.close();
    socket?.destroy();
    if (this.closed) return;
    this.lastError = why;
    if (wasConnected) {
      this.disconnectedAtMs = now;
      this.backoffMs = 0;
    }
    log.info(`${this.label}: ${wasConnected ? 'connection closed' : 'connection failed'} (${why})`);
    this.enter('BACKOFF');
    this.nextTryMs = now + Math.max(BACKOFF_FIRST_MS, this.backoffMs);
    this.onChange(this);
  }

  /** Ends the connection; it is made again. */
  reconnect(): void {
    if (this.conn !== null) this.lost('reconnecting');
  }

  status(): ControllerStatus {
    const since = (at: number | null): number | null =>
      at === null ? null : Math.floor((this.clock.now() - at) / 1000);
    const roles = { equal: 'other', primary: 'master', secondary: 'slave' } as const;
    return {
      target: this.settings.target,
      connected: this.connected,
      role: this.connected && this.conn !== null ? roles[this.conn.role] : null,
      lastError: this.lastError,
      state: this.state,
      secSinceConnect: since(this.connectedAtMs),
      secSinceDisconnect: since(this.disconnectedAtMs),
      packetIns: this.conn?.packetInCounts ?? new Map(),
    };
  }

  close(): void {
    this.closed = true;
    this.lost('closed');
    for (const end of [...this.taps.values()]) end();
  }
}
