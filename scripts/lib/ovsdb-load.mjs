/**
 * The load of bench-ovsdb.mjs, in a process of its own: clients that keep an OVSDB server busy, and
 * what each step took, as JSON on standard output.
 *
 * Requests are made ready beforehand and replies are counted, not parsed, so that the server and
 * not this process sets the pace.
 *
 * With a process id as its third argument it measures the CPU time of that process in place of the
 * time that goes by.
 *
 * Not for: starting servers.
 */
import * as fs from 'node:fs';
import * as net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const DATABASE = 'Open_vSwitch';
/** Ends every reply that is no error; updates have no such member. */
const REPLY_END = Buffer.from('"error":null');
const ERROR = Buffer.from('"error":"');

/** A client that counts what it is answered. */
class Client {
  replies = 0;
  bytes = 0;
  #tail = Buffer.alloc(0);
  #goal = null;
  #marker = null;
  #error = null;

  static connect(path) {
    const client = new Client();
    client.socket = net.connect({ path });
    client.socket.on('data', (chunk) => client.#take(chunk));
    return new Promise((resolve, reject) => {
      client.socket.once('connect', () => resolve(client));
      client.socket.once('error', reject);
    });
  }

  #take(chunk) {
    this.bytes += chunk.length;
    const data = this.#tail.length > 0 ? Buffer.concat([this.#tail, chunk]) : chunk;
    // A member may be cut in two: what could be its beginning is kept for the next chunk.
    let from = 0;
    for (let at = data.indexOf(REPLY_END); at >= 0; at = data.indexOf(REPLY_END, from)) {
      this.replies += 1;
      from = at + REPLY_END.length;
    }
    if (data.includes(ERROR)) this.#error = data.toString('latin1').slice(0, 500);
    const seen = this.#marker !== null && data.includes(this.#marker);
    const keep = Math.max(REPLY_END.length, this.#marker?.length ?? 0) - 1;
    this.#tail = Buffer.from(data.subarray(Math.max(from, data.length - keep)));
    this.onReplies?.();
    if (seen) this.#settle();
    else if (this.#goal?.count !== undefined && this.replies >= this.#goal.count) this.#settle();
  }

  #settle() {
    const goal = this.#goal;
    this.#goal = null;
    this.#marker = null;
    if (this.#error) goal?.reject(new Error(`the server answers: ${this.#error}`));
    else goal?.resolve();
  }

  /** Resolves when `count` replies have come in all. */
  until(count) {
    if (this.replies >= count) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#goal = { count, resolve, reject };
    });
  }

  /** Resolves when the text has come. */
  untilText(text) {
    this.#marker = Buffer.from(text);
    return new Promise((resolve, reject) => {
      this.#goal = { resolve, reject };
    });
  }

  /** Sends requests so that at most `depth` are unanswered; resolves when all are answered. */
  async run(requests, depth) {
    const start = this.replies;
    let sent = 0;
    this.onReplies = () => {
      const room = depth - (sent - (this.replies - start));
      if (room <= 0 || sent >= requests.length) return;
      const batch = requests.slice(sent, sent + room);
      sent += batch.length;
      this.socket.write(batch.join(''));
    };
    const done = this.until(start + requests.length);
    this.onReplies();
    await done;
    this.onReplies = null;
  }
}

/** Several clients, one after the other: ovsdb-server's backlog is short. */
async function connectMany(path, count) {
  const clients = [];
  while (clients.length < count) {
    try {
      clients.push(await Client.connect(path));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      await sleep(5);
    }
  }
  return clients;
}

let nextId = 0;
function request(method, params) {
  nextId += 1;
  return JSON.stringify({ method, params, id: nextId });
}
const transact = (...operations) => request('transact', [DATABASE, ...operations]);

const increment = {
  op: 'mutate',
  table: 'Open_vSwitch',
  where: [],
  mutations: [['next_cfg', '+=', 1]],
};
const NONE = ['set', []];
const times = (count, make) => Array.from({ length: count }, (_, i) => make(i));

/** Operations that add a bridge with five ports. */
function bridgeOperations(name) {
  const operations = [];
  const ports = [];
  for (let i = 0; i < 5; i++) {
    const port = `${name}p${i}`;
    const iface = {
      op: 'insert',
      table: 'Interface',
      'uuid-name': `i${port}`,
      row: { name: port },
    };
    const row = { name: port, interfaces: ['named-uuid', `i${port}`] };
    operations.push(iface, { op: 'insert', table: 'Port', 'uuid-name': `p${port}`, row });
    ports.push(['named-uuid', `p${port}`]);
  }
  const row = { name, ports: ['set', ports] };
  operations.push({ op: 'insert', table: 'Bridge', 'uuid-name': `b${name}`, row });
  const bridges = [['bridges', 'insert', ['named-uuid', `b${name}`]]];
  operations.push({ op: 'mutate', table: 'Open_vSwitch', where: [], mutations: bridges });
  return operations;
}

const measures = {};
/** CPU time that all threads of the server have used, milliseconds. */
function cpuMs() {
  if (!pid) return 0;
  const threads = fs.readdirSync(`/proc/${pid}/task`);
  const used = (thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1');
  return threads.reduce((sum, thread) => sum + Number(used(thread).split(' ')[0]) / 1e6, 0);
}

/** Times `work`, which does `count` things. Of a measure taken again the last one counts. */
async function measure(name, count, work) {
  const start = performance.now();
  const startCpu = cpuMs();
  await work();
  const took = pid ? cpuMs() - startCpu : performance.now() - start;
  measures[name] = (count * 1000) / took;
}

async function transactions(path, client) {
  const commit = { op: 'commit', durable: true };
  await client.run(
    times(3000, () => transact(increment)),
    64,
  );
  let requests = times(5000, () => transact(increment));
  await measure('1 client, one at a time', 5000, () => client.run(requests, 1));
  requests = times(20_000, () => transact(increment));
  await measure('1 client, 64 in flight', 20_000, () => client.run(requests, 64));
  requests = times(300, () => transact(increment, commit));
  await measure('1 client, durable', 300, () => client.run(requests, 1));
  const clients = await connectMany(path, 32);
  let lists = clients.map(() => times(625, () => transact(increment)));
  const all = () => Promise.all(clients.map((one, i) => one.run(lists[i], 1)));
  await measure('32 clients', 20_000, all);
  lists = clients.map(() => times(100, () => transact(increment, commit)));
  await measure('32 clients, durable', 3200, all);
  for (const one of clients) one.socket.destroy();
}

async function rows(client) {
  const ids = [
    'map',
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  ];
  const row = (i) => ({ op: 'insert', table: 'QoS', row: { type: `t${i}`, external_ids: ids } });
  let requests = times(20, (k) => transact(...times(500, (i) => row(k * 500 + i))));
  await measure('10,000 rows, 500 at a time', 10_000, () => client.run(requests, 1));
  requests = times(3000, (i) => transact({ op: 'insert', table: 'Queue', row: { dscp: i % 60 } }));
  await measure('beside 10,000 rows: insert one', 3000, () => client.run(requests, 1));
  const select = { op: 'select', table: 'QoS' };
  const one = (i) => transact({ ...select, where: [['type', '==', `t${i}`]], columns: ['type'] });
  requests = times(300, one);
  await measure('beside 10,000 rows: select by value', 300, () => client.run(requests, 1));
  requests = times(10, () => transact({ ...select, where: [] }));
  await measure('beside 10,000 rows: select all', 10, () => client.run(requests, 1));
}

async function monitors(path, client) {
  const watchers = await connectMany(path, 100);
  const tables = { QoS: [{}], Queue: [{}], Open_vSwitch: [{}] };
  const monitor = request('monitor_cond', [DATABASE, 'm', tables]);
  await measure('100 monitors: first contents', 100, () =>
    Promise.all(watchers.map((watcher) => watcher.run([monitor], 1))),
  );
  const requests = times(1000, () => transact(increment));
  const last = { op: 'update', table: 'Open_vSwitch', where: [], row: { system_type: 'the-last' } };
  requests.push(transact(last));
  const seen = watchers.map((watcher) => watcher.untilText('the-last'));
  await measure('100 monitors: updates', requests.length, async () => {
    await client.run(requests, 1);
    await Promise.all(seen);
  });
  for (const watcher of watchers) watcher.socket.destroy();
}

async function bridges(client) {
  const none = [
    transact({ op: 'update', table: 'Open_vSwitch', where: [], row: { bridges: NONE } }),
  ];
  for (const when of ['at first', 'again', 'again', 'again', 'again']) {
    const each = times(200, (i) => transact(...bridgeOperations(`m${i}`)));
    const one = [transact(...times(200, (i) => bridgeOperations(`o${i}`)).flat())];
    const what = '200 bridges of 5 ports';
    await measure(`${what}, 200 transactions, ${when}`, 200, () => client.run(each, 1));
    await client.run(none, 1);
    await measure(`${what}, 1 transaction, ${when}`, 200, () => client.run(one, 1));
    await client.run(none, 1);
  }
}

const [path, only] = process.argv.slice(2);
const pid = Number(process.argv[4]);
const client = await Client.connect(path);
const root = transact({ op: 'insert', table: 'Open_vSwitch', row: {} });
await client.run([root], 1);
const steps = { transactions: () => transactions(path, client), bridges: () => bridges(client) };
Object.assign(steps, { rows: () => rows(client), monitors: () => monitors(path, client) });
for (const [name, step] of Object.entries(steps)) {
  if (!only || only.split(',').includes(name)) await step();
}
process.stdout.write(`${JSON.stringify(measures)}\n`, () => process.exit(0));
