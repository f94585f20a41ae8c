/**
 * A remote that is listened to: `punix:FILE`, `ptcp:[PORT][:IP]`, `pssl:[PORT][:IP]`.
 *
 * Not for: remotes that are connected to (active-remote.ts).
 */
import type { Socket } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { TapswitchError } from '../../common/errors.js';
import { getLogger } from '../../common/log.js';
import { type Listener, listenTcp, listenTls, listenUnix, type TlsListener } from '../listen.js';
import type { OvsdbServer } from '../server.js';
import type { Session } from '../session.js';
import { commonName, type TlsFiles } from '../tls.js';
import type { RemoteSettings } from './remote-rows.js';
import type { RemoteStatus } from './remote-status.js';

/** The port of OVSDB (RFC 7047, section 4). */
const OVSDB_PORT = 6640;
const PORT_MAX = 65_535;

const log = getLogger('socket_util');

export class PassiveRemote {
  private readonly clients = new Map<Socket, Session>();
  private listener: Listener | TlsListener | null = null;

  constructor(
    private readonly target: string,
    private readonly server: OvsdbServer,
    private settings: RemoteSettings,
  ) {}

  /** Begins to listen. @throws TapswitchError */
  async open(runDir: string, tls: TlsFiles): Promise<void> {
    const accept = (socket: Socket): void => this.accept(socket);
    const unix = /^punix:(.+)$/.exec(this.target);
    if (unix) {
      const path = isAbsolute(unix[1]) ? unix[1] : resolve(runDir, unix[1]);
      this.listener = await listenUnix(path, accept);
      return;
    }
    const { host, port, secure } = parsePassive(this.target);
    this.listener = secure
      ? await listenTls(host, port, tls, accept, (text) => this.server.streamLog.warn(text))
      : await listenTcp(host, port, accept);
    if (port === 0) log.info(`${this.address}: listening on port ${this.listener.port}`);
  }

  /** The target without its kind. */
  private get address(): string {
    return this.target.slice(this.target.indexOf(':') + 1);
  }

  private accept(socket: Socket): void {
    const probeIntervalMs = this.target.startsWith('punix:') ? 0 : undefined;
    const session = this.server.accept(socket, {
      probeIntervalMs,
      clientId: commonName(socket),
      ...this.settings,
    });
    if (!session) return;
    this.clients.set(socket, session);
    socket.once('close', () => this.clients.delete(socket));
  }

  setSettings(settings: RemoteSettings): void {
    this.settings = settings;
    for (const session of this.clients.values()) {
      session.remoteReadOnly = settings.readOnly ?? false;
      session.role = settings.role ?? '';
      const { probeIntervalMs } = settings;
      if (probeIntervalMs !== undefined) session.connection.setProbeInterval(probeIntervalMs);
    }
  }

  /** New clients are met with these keys. @throws TapswitchError E_TLS */
  setTls(files: TlsFiles): void {
    const { listener } = this;
    if (listener && 'setFiles' in listener) listener.setFiles(files);
  }

  status(): RemoteStatus {
    const details: Record<string, string> = {};
    if (this.clients.size > 1) details.n_connections = String(this.clients.size);
    if (this.listener?.port) details.bound_port = String(this.listener.port);
    return { isConnected: this.clients.size > 0, details };
  }

  reconnect(): void {
    for (const session of this.clients.values()) session.connection.close();
  }

  async close(): Promise<void> {
    // Clients go with their remote; closing waits for them.
    for (const socket of this.clients.keys()) socket.destroySoon();
    await this.listener?.close();
  }
}

/** Host and port of `ptcp:[PORT][:IP]` or `pssl:[PORT][:IP]`. */
function parsePassive(remote: string): { host: string; port: number; secure: boolean } {
  const match = /^p(tcp|ssl):(\d*)(?::(.+))?$/.exec(remote);
  const port = match?.[2] ? Number(match[2]) : OVSDB_PORT;
  if (!match || port > PORT_MAX) {
    throw new TapswitchError(
      'E_OVSDB_REMOTE',
      `${remote}: the database server has no such remote`,
      'give punix:FILE, ptcp:[PORT][:IP], pssl:[PORT][:IP], unix:FILE, tcp:HOST:PORT, ' +
        'ssl:HOST:PORT or db:DB,TABLE,COLUMN',
    );
  }
  const host = (match[3] ?? '0.0.0.0').replace(/^\[(.*)\]$/, '$1');
  return { host, port, secure: match[1] === 'ssl' };
}
