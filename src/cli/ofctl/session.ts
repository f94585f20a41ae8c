/**
 * What every command of ofctl works with: options, output, connections to switches and their names.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { getLogger } from '../../common/log.js';
import { checkHostNames, secureContextOptions } from '../../common/tls.js';
import { connectUnix } from '../../common/unix-path.js';
import { OFPP } from '../../openflow/actions.js';
import type { OfMessage, PortDesc } from '../../openflow/messages.js';
import { P, protocolOfVersion } from '../../openflow/protocols.js';
import { formatMessage } from '../../openflow/syntax/message-format.js';
import {
  type NameMap,
  type Names,
  NO_NAMES,
  nameMap,
  parsePort,
} from '../../openflow/syntax/names.js';
import { OfConnection, type Reply, XidCounter } from '../../openflow/vconn.js';
import { directories } from '../daemon/dirs.js';
import type { CliIo } from '../io.js';
import { errorCode, errorText, fatal, OfctlExit, OfctlNoSwitch } from './errors.js';
import type { OfctlOptions } from './options.js';

const DEFAULT_PORT = 6653;

/** What must be given before one may connect with TLS, as errors call it. */
const TLS_OPTIONS = {
  'Private key': 'privateKey',
  Certificate: 'certificate',
  'CA certificate': 'caCert',
} as const;

/** A connection together with the flow format in use on it. */
export class SwitchConnection {
  protocol: number;
  /** Told of messages that nobody waits for. */
  onMessage: (msg: OfMessage) => void = () => {};

  constructor(
    readonly connection: OfConnection,
    readonly name: string,
    private readonly session: Session,
  ) {
    this.protocol = protocolOfVersion(connection.version);
  }

  get version(): number {
    return this.connection.version;
  }

  private failed(what: string, error: unknown): never {
    return fatal(`${what} (${errorText(error)})`);
  }

  /** A request's reply in parts, or an error message. */
  async request(msg: OfMessage, onPart?: (part: Reply) => void): Promise<Reply[]> {
    const { connection } = this;
    try {
      return await connection.requestFrames(msg, connection.nextXid(), onPart);
    } catch (e) {
      return this.failed(`talking to ${this.session.connectionName(this.name)}`, e);
    }
  }

  /** Sends messages that are answered only on error; prints the error and ends the program. */
  async transact(msgs: readonly OfMessage[]): Promise<void> {
    const failed = await this.tryTransact(msgs);
    if (failed === null) return;
    const { session } = this;
    const names = await session.namesToShow(this.name);
    const text = formatMessage(failed.frame, names, session.options.verbosity + 2);
    session.io.stderr.write(text);
    throw new OfctlExit(1);
  }

  async tryTransact(msgs: readonly OfMessage[]) {
    try {
      return await this.connection.transactNoReply(msgs);
    } catch (e) {
      return this.failed(`talking to ${this.session.connectionName(this.name)}`, e);
    }
  }

  /** Changes the flow format; false when the switch refuses. */
  async setProtocol(want: number): Promise<boolean> {
    const { connection } = this;
    if (this.version !== 1) return this.protocol === want;
    const nxm = (want & (P.OF10_NXM | P.OF10_NXM_TID)) !== 0;
    const tid = (want & (P.OF10_STD_TID | P.OF10_NXM_TID)) !== 0;
    const isNxm = (this.protocol & (P.OF10_NXM | P.OF10_NXM_TID)) !== 0;
    const isTid = (this.protocol & (P.OF10_STD_TID | P.OF10_NXM_TID)) !== 0;
    if (nxm !== isNxm) {
      const format = nxm ? 'nxm' : 'openflow10';
      if (await this.tryTransact([{ type: 'nx_set_flow_format', format }])) return false;
      this.protocol = nxm ? this.protocol << 2 : this.protocol >> 2;
    }
    if (tid !== isTid) {
      if (await this.tryTransact([{ type: 'nx_flow_mod_table_id', enable: tid }])) return false;
      this.protocol = tid ? this.protocol << 1 : this.protocol >> 1;
    }
    connection.codec.flowFormat = nxm ? 'nxm' : 'openflow10';
    connection.codec.tableId = tid;
    return true;
  }

  close(): void {
    this.connection.close();
  }
}

export class Session {
  readonly xids = new XidCounter();
  private readonly open = new Set<OfConnection>();
  private readonly portMaps = new Map<string, NameMap>();
  private readonly tableMaps = new Map<string, NameMap>();
  private readonly sockets = new Map<string, string>();

  private monitorIds = 0;

  constructor(
    readonly options: OfctlOptions,
    readonly io: CliIo,
    /** Takes this command's log sinks away. */
    readonly stopLogging: () => void = () => {},
  ) {}

  /** A number for a flow monitor, 0 first. */
  takeMonitorId(): number {
    return this.monitorIds++;
  }

  print(text: string): void {
    this.io.stdout.write(text);
  }

  closeAll(): void {
    for (const connection of this.open) connection.close();
  }

  /** The connection method that a switch's name stood for, as messages show it. */
  connectionName(name: string): string {
    return this.sockets.get(name) ?? name;
  }

  /** Connects to a bridge, a socket or a connection method, and agrees on a version. */
  async connect(
    name: string,
    handlers: { onFrame?(frame: Uint8Array): void; onClose?(): void } = {},
    suffix: 'mgmt' | 'snoop' = 'mgmt',
  ): Promise<SwitchConnection> {
    const socket = await this.openTarget(name, suffix);
    let sw: SwitchConnection | undefined;
    const connection = new OfConnection(socket, {
      versions: this.options.versions,
      xids: this.xids,
      onFrame: handlers.onFrame,
      onMessage: (msg) => sw?.onMessage(msg),
      onClose: () => {
        this.open.delete(connection);
        handlers.onClose?.();
      },
    });
    this.open.add(connection);
    try {
      await connection.whenOpen();
    } catch (e) {
      fatal(`${name}: failed to connect to socket (${errorText(e)})`);
    }
    sw = new SwitchConnection(connection, name, this);
    return sw;
  }

  private async openTarget(name: string, suffix: string): Promise<Socket> {
    if (name.includes(':')) {
      this.sockets.set(name, name);
      return this.openMethod(name);
    }
    const { runDir } = directories(this.io.env);
    const bridge = name.includes('@') ? name.slice(name.indexOf('@') + 1) : name;
    const direct = name.startsWith('/') ? name : `${runDir}/${name}`;
    for (const path of [direct, `${runDir}/${name}.${suffix}`, `${runDir}/${bridge}.${suffix}`]) {
      if (!existsSync(path)) continue;
      try {
        const socket = await dial({ path });
        this.sockets.set(name, `unix:${path}`);
        return socket;
      } catch (e) {
        if (errorCode(e) === 'ENOENT') continue;
        throw new OfctlNoSwitch(`${path}: failed to open socket (${errorText(e)})`);
      }
    }
    throw new OfctlNoSwitch(`${name} is not a bridge or a socket`);
  }

  private async openMethod(name: string): Promise<Socket> {
    const unix = /^unix:(.*)$/.exec(name);
    const tcp = /^(tcp|ssl):(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(name);
    try {
      if (unix !== null) {
        const { runDir } = directories(this.io.env);
        return await dial({ path: unix[1].startsWith('/') ? unix[1] : `${runDir}/${unix[1]}` });
      }
      if (tcp !== null) {
        const host = tcp[2].replace(/^\[|\]$/g, '');
        const port = tcp[3] === undefined ? DEFAULT_PORT : Number(tcp[3]);
        return await (tcp[1] === 'tcp' ? dial({ host, port }) : this.dialTls(host, port));
      }
    } catch (e) {
      fatal(`connecting to ${name} (${errorText(e)})`);
    }
    return fatal(`connecting to ${name} (Address family not supported by protocol)`);
  }

  /** Connects under the keys of the options; the peer must be known to the CA. */
  private async dialTls(host: string, port: number): Promise<Socket> {
    const { tls } = this.options;
    const missing = Object.entries(TLS_OPTIONS).filter(([, file]) => tls[file] === undefined);
    for (const [name] of missing) {
      getLogger('stream_ssl').err(`${name} must be configured to use SSL`);
    }
    if (missing.length > 0) {
      throw Object.assign(new Error('Protocol not available'), { code: 'ENOPROTOOPT' });
    }
    const context = secureContextOptions(tls);
    const socket = connectTls({ ...context, host, port, checkServerIdentity: checkHostNames });
    await once(socket, 'secureConnect');
    socket.setNoDelay(true);
    return socket;
  }

  /** Whether names are shown: when asked for, or when a person looks. */
  get showsNames(): boolean {
    const isTty = (this.io.stdout as { isTTY?: boolean }).isTTY === true;
    return this.options.names ?? isTty;
  }

  /** Names that input may use; unless names are switched off. */
  async namesToAccept(name: string): Promise<Names> {
    return this.options.names === false ? NO_NAMES : this.names(name);
  }

  async namesToShow(name: string): Promise<Names> {
    return this.showsNames ? this.names(name) : NO_NAMES;
  }

  async names(name: string): Promise<Names> {
    return { ports: await this.portMap(name), tables: await this.tableMap(name) };
  }

  private async portMap(name: string): Promise<NameMap> {
    let map = this.portMaps.get(name);
    if (map === undefined) {
      const ports = await this.ports(name);
      map = nameMap(ports.map((p) => [p.portNo, p.name]));
      this.portMaps.set(name, map);
    }
    return map;
  }

  private async tableMap(name: string): Promise<NameMap> {
    let map = this.tableMaps.get(name);
    if (map !== undefined) return map;
    const sw = await this.connect(name);
    const type = sw.version < 4 ? 'table_stats_request' : 'table_features_request';
    const entries: [number, string][] = [];
    for (const { msg } of await sw.request({ type })) {
      if (msg.type !== 'table_stats_reply' && msg.type !== 'table_features_reply') continue;
      for (const t of msg.entries) if (t.name !== '') entries.push([t.table, t.name]);
    }
    sw.close();
    map = nameMap(entries);
    this.tableMaps.set(name, map);
    return map;
  }

  /** Every port of a switch, over a connection of its own. */
  async ports(name: string): Promise<PortDesc[]> {
    const sw = await this.connect(name);
    const ports = await this.portsOn(sw);
    sw.close();
    return ports;
  }

  private async portsOn(sw: SwitchConnection): Promise<PortDesc[]> {
    if (sw.version < 4) {
      const [{ msg }] = await sw.request({ type: 'features_request' });
      if (msg.type !== 'features_reply') fatal(`${sw.name}: received bad features reply`);
      // As many ports as fit; when that may not be all, the list of ports has them.
      if (sw.version > 1 || msg.ports.length < MAX_PORTS_IN_FEATURES) return msg.ports;
    }
    const parts = await sw.request({ type: 'port_desc_request', port: OFPP.NONE });
    return parts.flatMap(({ msg }) => (msg.type === 'port_desc_reply' ? msg.entries : []));
  }

  /** The number of a port named by number or name. */
  async portNumber(switchName: string, text: string): Promise<number> {
    const plain = parsePort(text, null);
    if (plain !== null) return plain;
    const ports = this.options.names === false ? null : await this.portMap(switchName);
    return parsePort(text, ports) ?? fatal(`${switchName}: unknown port \`${text}'`);
  }

  /** Prints a request's replies as they come; names are asked for once it has been sent. */
  async dump(
    sw: SwitchConnection,
    request: OfMessage,
    style = (text: string) => text,
  ): Promise<void> {
    const verbosity = this.options.verbosity + 1;
    const waiting: Reply[] = [];
    let names: Names | null = null;
    const show = (part: Reply): void => {
      if (names === null) waiting.push(part);
      else this.print(style(formatMessage(part.frame, names, verbosity)));
    };
    const done = sw.request(request, show);
    // Whoever waits for the names must not leave a failure of the request unheard.
    done.catch(() => {});
    names = await this.namesToShow(sw.name);
    for (const part of waiting) show(part);
    await done;
  }
}

/** Ports of 48 bytes that a 64 KiB features reply can hold. */
const MAX_PORTS_IN_FEATURES = Math.floor((0xffff - 32) / 48);

/** A connected socket. */
function dial(target: { path: string } | { host: string; port: number }): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = 'path' in target ? connectUnix(target.path) : connect(target);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}
