/**
 * Warming up: a server that has just started runs transactions on a database of its own, between
 * its other work, until the JavaScript engine has compiled the code that they go through. Without
 * it the first few thousand transactions of a process take two to four times as long as later ones.
 *
 *     client -> socket without a name in the file system -> session -> Database -> LogFile
 *        ^                                                     |        (a file of no name)
 *        └──────────────────── next transaction <──────────────┘
 *
 * Not for: anything that a client can see.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import * as net from 'node:net';
import type { Clock } from '../common/clock.js';
import type { JsonValue } from '../common/json.js';
import { getLogger } from '../common/log.js';
import { Database } from './database.js';
import { LogFile } from './log-file.js';
import { openVSwitchSchema } from './open-vswitch-schema.js';
import { OvsdbServer } from './server.js';

const NAME = 'Open_vSwitch';
/** Where the records go: memory, on Linux. */
const DIRECTORY = '/dev/shm';
const CLIENTS = 4;
/** Rounds of transactions until the code runs at its full speed. */
const ROUNDS = 200;
/** Short transactions in a round, one after the other. */
const SHORT = 4;
/** Short transactions at once. */
const PIPELINED = 8;
/** Bridges that are there at one time, and each one's ports. */
const BRIDGES_MAX = 40;
const PORTS = 5;
/** The round in which a client comes and goes. */
const VISIT = 10;

/**
 * Warms up. Ends early when `goOn` says no.
 *
 * @param served the databases that clients will use
 */
export async function warmUp(
  clock: Clock,
  served: Iterable<Database>,
  goOn: () => boolean,
): Promise<void> {
  // Whoever reads every message wants those of real clients.
  if (getLogger('jsonrpc').enabled('dbg')) return;
  const database = likeOneOf(served, clock);
  const server = new OvsdbServer({ databases: [database], clock });
  // The engine compiles for the objects that it sees: a real file and real sockets, or all again.
  const storage = namelessFile(clock);
  if (storage) database.attach(storage);
  // Remotes in the database are looked at after each commit.
  database.onCommit(() => {});
  const listener = net.createServer((socket) => void server.accept(socket));
  const clients: Client[] = [];
  try {
    // A name that is not in the file system, and that nobody can guess.
    const name = `\0${randomUUID()}`;
    listener.listen({ path: name });
    await once(listener, 'listening');
    for (let i = 0; i < CLIENTS; i++) clients.push(await Client.connect(name));
    await transactions(clients, goOn, () => Client.connect(name));
  } finally {
    for (const client of clients) client.end();
    listener.close();
    await server.close();
    database.close();
  }
}

/** With the schema and the clock of a real one: the engine compiles for these very objects. */
function likeOneOf(served: Iterable<Database>, clock: Clock): Database {
  for (const database of served) if (database.name === NAME) return database.sibling();
  return new Database(openVSwitchSchema(), { wallNow: () => clock.wallNow() });
}

/** A file to write to; null where there can be none: then without. */
function namelessFile(clock: Clock): LogFile | null {
  try {
    return LogFile.nameless(DIRECTORY, () => clock.now());
  } catch {
    return null;
  }
}

/** One at a time and several at once, short ones and long ones. */
async function transactions(
  clients: Client[],
  goOn: () => boolean,
  connect: () => Promise<Client>,
): Promise<void> {
  const [first] = clients;
  await first.ask('transact', [{ op: 'insert', table: 'Open_vSwitch', row: {} }]);
  const watched = {
    Open_vSwitch: [{}],
    Bridge: [{}],
    Interface: [{ columns: ['name', 'ofport'] }],
  };
  await clients[CLIENTS - 1].ask('monitor_cond', [null, watched]);
  const count = changeRoot(['next_cfg', '+=', 1]);
  for (let i = 0; i < ROUNDS && goOn(); i++) {
    if (i % VISIT === VISIT - 1) {
      const guest = await connect();
      await guest.ask('transact', operations(i));
      guest.end();
    } else await first.ask('transact', operations(i));
    for (let k = 0; k < SHORT; k++) await first.ask('transact', [count]);
    await first.ask('transact', [count], PIPELINED);
    await Promise.all(clients.map((client) => client.ask('transact', [count])));
    await first.ask('transact', [count, { op: 'commit', durable: true }]);
  }
}

/** A client that waits for its answers and does not look at them. */
class Client {
  private id = 0;
  private received = '';
  private last = '';
  private done: (() => void) | null = null;

  private constructor(private readonly socket: net.Socket) {
    socket.on('data', (chunk) => this.receive(chunk.toString('latin1')));
    // An answer that does not come is not waited for.
    socket.on('error', () => {});
    socket.on('close', () => this.answered());
  }

  static async connect(path: string): Promise<Client> {
    const socket = net.connect({ path });
    await once(socket, 'connect');
    return new Client(socket);
  }

  /** Asks `times` times at once; resolves when all is answered. */
  ask(method: string, params: JsonValue[], times = 1): Promise<void> {
    let text = '';
    for (let i = 0; i < times; i++) {
      this.id += 1;
      text += JSON.stringify({ method, params: [NAME, ...params], id: this.id });
    }
    this.last = `{"id":${this.id},`;
    return new Promise((resolve) => {
      this.done = resolve;
      if (this.socket.destroyed) this.answered();
      else this.socket.write(text);
    });
  }

  private receive(text: string): void {
    this.received += text;
    if (this.received.includes(this.last)) this.answered();
  }

  private answered(): void {
    const { done } = this;
    this.received = '';
    this.done = null;
    done?.();
  }

  end(): void {
    this.socket.destroy();
  }
}

function changeRoot(...mutations: JsonValue[]): JsonValue {
  return { op: 'mutate', table: 'Open_vSwitch', where: [], mutations };
}

/** A transaction that inserts, refers, changes, looks, and now and then removes. */
function operations(i: number): JsonValue[] {
  const made: JsonValue[] = [];
  const ports: JsonValue[] = [];
  for (let k = 0; k < PORTS; k++) {
    const name = `p${i}_${k}`;
    const ids: JsonValue = ['map', [['owner', `bridge ${i}`]]];
    const port = { name, interfaces: ['named-uuid', `i${name}`], tag: k, vlan_mode: 'access' };
    made.push(
      { op: 'insert', table: 'Interface', 'uuid-name': `i${name}`, row: { name, type: 'x' } },
      { op: 'insert', table: 'Port', 'uuid-name': name, row: { ...port, external_ids: ids } },
    );
    ports.push(['named-uuid', name]);
  }
  const name = `b${i}`;
  const row = { name, ports: ['set', ports], stp_enable: i % 2 === 0, fail_mode: 'secure' };
  const itself = [['name', '==', name]];
  const where = { table: 'Bridge', where: itself };
  made.push(
    { op: 'insert', table: 'Bridge', 'uuid-name': name, row },
    { op: 'insert', table: 'Queue', row: { dscp: i % 64 } },
    changeRoot(['bridges', 'insert', ['named-uuid', name]], ['next_cfg', '+=', 1]),
    { op: 'update', ...where, row: { protocols: ['set', ['OpenFlow10', 'OpenFlow13']] } },
    { op: 'mutate', ...where, mutations: [['external_ids', 'insert', ['map', [['a', 'b']]]]] },
    { op: 'select', ...where, columns: ['name', '_uuid', 'ports'] },
    { op: 'comment', comment: 'warming up' },
  );
  if (i % BRIDGES_MAX === BRIDGES_MAX - 1) {
    made.push({ op: 'update', table: 'Open_vSwitch', where: [], row: { bridges: ['set', []] } });
  }
  return made;
}
