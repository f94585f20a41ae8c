/**
 * A remote that the server connects to, and that then asks it as any client would: `unix:FILE`,
 * `tcp:HOST:PORT`, `ssl:HOST:PORT` (what `ovs-vsctl set-manager` sets).
 *
 *     waiting --(its time)--> connecting --> connected --(ends)--> waiting, longer each time
 *
 * Not for: remotes that are listened to (passive-remote.ts).
 */
import type { Socket } from 'node:net';
import { NEVER } from '../../common/clock.js';
import { errnoText } from '../../common/errno-text.js';
import { errorMessage } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import { Backoff } from '../idl/backoff.js';
import { openRemote } from '../idl/remote.js';
import type { OvsdbServer } from '../server.js';
import type { Session } from '../session.js';
import { commonName, type TlsFiles } from '../tls.js';
import type { RemoteSettings } from './remote-rows.js';
import type { RemoteStatus } from './remote-status.js';

const BACKOFF_MS_MIN = 1000;
const BACKOFF_MS_MAX = 8000;
/** An attempt to connect that takes longer is given up. */
const CONNECT_MS_MAX = 10_000;

const log = getLogger('reconnect');

export class ActiveRemote {
  private session: Session | null = null;
  private attempt: AbortController | null = null;
  private wakeMs: number;
  private connectedMs: number | null = null;
  private disconnectedMs: number | null = null;
  private lastError: Error | null = null;
  private backoff: Backoff;
  private closed = false;

  constructor(
    private readonly target: string,
    private readonly server: OvsdbServer,
    private settings: RemoteSettings,
    private tls: TlsFiles,
    private readonly onWake: () => void,
  ) {
    this.wakeMs = server.now();
    this.backoff = newBackoff(settings);
  }

  /** Connects when it is time to. `now`: monotonic milliseconds. */
  run(now: number): void {
    if (this.closed || this.session || now < this.wakeMs) return;
    if (this.attempt) {
      this.attempt.abort();
      this.attempt = null;
      this.failed(new Error('Connection timed out'));
      return;
    }
    const attempt = new AbortController();
    this.attempt = attempt;
    this.wakeMs = now + CONNECT_MS_MAX;
    openRemote(this.target, this.tls, attempt.signal).then(
      (socket) => this.connected(socket, attempt),
      (error: Error) => {
        if (this.attempt !== attempt) return;
        this.attempt = null;
        this.failed(error);
      },
    );
  }

  nextWake(): number {
    return this.closed || this.session ? NEVER : this.wakeMs;
  }

  private connected(socket: Socket, attempt: AbortController): void {
    if (this.attempt !== attempt || this.closed) {
      socket.destroy();
      return;
    }
    this.attempt = null;
    const probeIntervalMs = this.target.startsWith('unix:') ? 0 : undefined;
    const session = this.server.accept(socket, {
      probeIntervalMs,
      clientId: commonName(socket),
      ...this.settings,
    });
    if (!session) {
      this.failed(new Error('Too many clients'));
      return;
    }
    this.session = session;
    this.connectedMs = this.server.now();
    this.lastError = null;
    log.info(`${this.target}: connected`);
    socket.once('error', (error) => {
      this.lastError = error;
    });
    socket.once('close', () => {
      if (this.session !== session) return;
      this.session = null;
      this.failed(this.lastError ?? new Error('End of file'));
    });
  }

  private failed(error: Error): void {
    if (this.closed) return;
    const now = this.server.now();
    const wasUp = this.connectedMs !== null && (this.disconnectedMs ?? 0) < this.connectedMs;
    const upMs = wasUp ? now - (this.connectedMs as number) : 0;
    if (wasUp) this.disconnectedMs = now;
    this.lastError = error;
    const quiet = this.backoff.quiet;
    const waitMs = this.backoff.failed(upMs);
    this.wakeMs = now + waitMs;
    if (!quiet) {
      const what = wasUp ? 'connection dropped' : 'connection attempt failed';
      log.info(`${this.target}: ${what} (${reason(error)})`);
      if (waitMs > 0) {
        log.info(`${this.target}: waiting ${waitMs / 1000} seconds before reconnect`);
      }
    }
    this.onWake();
  }

  setSettings(settings: RemoteSettings): void {
    if (settings.maxBackoffMs !== this.settings.maxBackoffMs) this.backoff = newBackoff(settings);
    this.settings = settings;
    if (!this.session) return;
    this.session.remoteReadOnly = settings.readOnly ?? false;
    this.session.role = settings.role ?? '';
    const { probeIntervalMs } = settings;
    if (probeIntervalMs !== undefined) this.session.connection.setProbeInterval(probeIntervalMs);
  }

  /** The next connection uses these keys. */
  setTls(files: TlsFiles): void {
    this.tls = files;
  }

  status(): RemoteStatus {
    const details: Record<string, string> = {
      state: this.session ? 'ACTIVE' : this.attempt ? 'CONNECTING' : 'BACKOFF',
    };
    const now = this.server.now();
    const seconds = (sinceMs: number): string => String(Math.floor((now - sinceMs) / 1000));
    if (this.connectedMs !== null) details.sec_since_connect = seconds(this.connectedMs);
    if (this.disconnectedMs !== null) details.sec_since_disconnect = seconds(this.disconnectedMs);
    if (this.lastError && !this.session) details.last_error = reason(this.lastError);
    const { held = [], waiting = [], lost = [] } = this.session?.lockNames() ?? {};
    if (held.length > 0) details.locks_held = held.join(' ');
    if (waiting.length > 0) details.locks_waiting = waiting.join(' ');
    if (lost.length > 0) details.locks_lost = lost.join(' ');
    return { isConnected: this.session !== null, details };
  }

  reconnect(): void {
    this.session?.connection.close();
  }

  async close(): Promise<void> {
    this.closed = true;
    this.attempt?.abort();
    this.session?.connection.close();
  }
}

function newBackoff({ maxBackoffMs = BACKOFF_MS_MAX }: RemoteSettings): Backoff {
  const max = Math.max(maxBackoffMs, BACKOFF_MS_MIN);
  return new Backoff(BACKOFF_MS_MIN, max, 1);
}

function reason(error: Error): string {
  return errnoText((error as NodeJS.ErrnoException).code) ?? errorMessage(error);
}
