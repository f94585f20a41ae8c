/**
 * A bridge's OpenFlow socket (RUNDIR/BRIDGE.mgmt): a connection that is made when somebody asks.
 *
 * Not for: flow syntax, or what replies mean (../topics, ../rows).
 */
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { errorMessage, TapswitchError } from '../../common/errors.js';
import { connectUnix } from '../../common/unix-path.js';
import type { OfMessage } from '../../openflow/messages.js';
import { OfConnection, type Reply } from '../../openflow/vconn.js';

/** What is offered first: groups and meters are known since 1.3, a flow's last packet in 1.5. */
const USUAL_VERSIONS = [1, 4, 6];
const ALL_VERSIONS = [1, 2, 3, 4, 5, 6];
const CONNECT_MS_MAX = 5_000;
const ANSWER_MS_MAX = 30_000;

/** Connections to the bridges of one run directory, by bridge. */
export class OpenFlowSockets {
  private readonly open = new Map<string, Promise<OfConnection>>();

  constructor(private readonly runDir: string) {}

  /** Bridges whose socket answers. */
  readonly answering = new Set<string>();

  /** Sends a request and gives all parts of its reply. @throws TapswitchError E_WEB_OPENFLOW */
  async request(bridge: string, message: OfMessage): Promise<OfMessage[]> {
    const parts: OfMessage[] = [];
    await this.stream(bridge, message, ({ msg }) => parts.push(msg));
    const [first] = parts;
    if (first?.type === 'error') throw failure(bridge, new Error(`it refused: ${first.error}`));
    return parts;
  }

  /** As `request`; parts are handed on as they come. */
  async stream(bridge: string, message: OfMessage, onPart: (part: Reply) => void): Promise<void> {
    const connection = await this.connection(bridge);
    let heard = (): void => {};
    const answer = connection.requestFrames(message, connection.nextXid(), (part) => {
      heard();
      onPart(part);
    });
    // A long answer may take its time, as long as it goes on.
    const silence = new Promise<never>((_resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer')), ANSWER_MS_MAX);
      heard = () => timer.refresh();
      const done = () => clearTimeout(timer);
      answer.then(done, done);
    });
    await this.guarded(bridge, connection, Promise.race([answer, silence]));
  }

  /** Sends changes and waits until they are in force. @returns the switch's error, or null */
  async change(bridge: string, messages: readonly OfMessage[], versions: readonly number[]) {
    const connection = await this.dial(bridge, versions);
    if (connection.version === 1) {
      // What nx_set_flow_format and nx_flow_mod_table_id ask for, if they are among the messages.
      connection.codec.flowFormat = 'nxm';
      connection.codec.tableId = true;
    }
    try {
      return await within(ANSWER_MS_MAX, connection.transactNoReply(messages));
    } catch (error) {
      throw failure(bridge, error);
    } finally {
      connection.close();
    }
  }

  /** Whether the version that requests use has groups and meters. */
  async version(bridge: string): Promise<number> {
    return (await this.connection(bridge)).version;
  }

  /** Closes connections to bridges that are gone. */
  keep(bridges: ReadonlySet<string>): void {
    for (const name of this.open.keys()) if (!bridges.has(name)) this.drop(name);
  }

  close(): void {
    this.keep(new Set());
  }

  private connection(bridge: string): Promise<OfConnection> {
    let connecting = this.open.get(bridge);
    if (connecting) return connecting;
    connecting = this.dialUsual(bridge);
    this.open.set(bridge, connecting);
    connecting.then(
      () => this.answering.add(bridge),
      () => this.drop(bridge),
    );
    return connecting;
  }

  private async dialUsual(bridge: string): Promise<OfConnection> {
    try {
      return await this.dial(bridge, USUAL_VERSIONS);
    } catch (error) {
      if (!existsSync(this.path(bridge))) throw error;
      return this.dial(bridge, ALL_VERSIONS);
    }
  }

  private async dial(bridge: string, versions: readonly number[]): Promise<OfConnection> {
    try {
      const socket = await within(CONNECT_MS_MAX, dialSocket(this.path(bridge)));
      const connection: OfConnection = new OfConnection(socket, {
        versions,
        name: `unix:${bridge}`,
        onClose: () => this.closed(bridge, connection),
      });
      try {
        await within(CONNECT_MS_MAX, connection.whenOpen());
      } catch (error) {
        connection.close();
        throw error;
      }
      return connection;
    } catch (error) {
      throw failure(bridge, error);
    }
  }

  private closed(bridge: string, connection: OfConnection): void {
    this.open.get(bridge)?.then(
      (open) => open === connection && this.drop(bridge),
      () => {},
    );
  }

  private path(bridge: string): string {
    return join(this.runDir, `${bridge}.mgmt`);
  }

  private async guarded<T>(bridge: string, connection: OfConnection, answer: Promise<T>) {
    try {
      return await answer;
    } catch (error) {
      connection.close();
      this.drop(bridge);
      throw failure(bridge, error);
    }
  }

  private drop(bridge: string): void {
    this.open.get(bridge)?.then(
      (connection) => connection.close(),
      () => {},
    );
    this.open.delete(bridge);
    this.answering.delete(bridge);
  }
}

function dialSocket(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectUnix(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** @throws Error when `promise` has not settled within `ms` */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function failure(bridge: string, cause: unknown): TapswitchError {
  const message = `bridge ${bridge} does not answer on its OpenFlow socket: ${errorMessage(cause)}`;
  return new TapswitchError('E_WEB_OPENFLOW', message, 'is the bridge there?', { cause });
}
