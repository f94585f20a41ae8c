/**
 * What a new flow costs, in one process and without a kernel: CPU time, so that what else the
 * machine does hardly matters.
 *
 *     node scripts/bench-upcall.mjs [flows|macs] [--flows=60000] [--rounds=5] [--dist=DIRECTORY]
 *
 *     upcall ring ─> translation ─> megaflow ─> command ring        "main": the main thread's part
 *                                                └─> engine         "worker": flow and packet
 *
 * Kinds as in bench-setup.mjs: 'flows', each UDP source port is a megaflow; 'macs', each source
 * address is one and is learned. "gone": removing them all again. Garbage collection is included.
 */
import * as path from 'node:path';

const FLOWS_MAX = 200_000;
const BATCH = 192;
const PACKET = 64;
const options = new Map(
  process.argv.slice(2).map((word) => {
    const [name, value = ''] = word.replace(/^--/, '').split('=');
    return [name, value];
  }),
);
const kind = options.has('macs') ? 'macs' : 'flows';
const FLOWS = Math.min(Number(options.get('flows') || 60_000), FLOWS_MAX);
const ROUNDS = Number(options.get('rounds') ?? 5);
const DIST = path.resolve(options.get('dist') ?? path.join(import.meta.dirname, '../dist'));

const load = (name) => import(path.join(DIST, name));
const { CommandRing } = await load('datapath/command-ring.js');
const { DpifBase } = await load('datapath/dpif-base.js');
const { PORT_PACKET, TX_BATCH } = await load('datapath/egress.js');
const { Engine } = await load('datapath/engine.js');
const { UPCALL_MISS } = await load('datapath/execute-actions.js');
const { FrameMemory } = await load('datapath/frame-memory.js');
const { MemoryIo } = await load('datapath/memory-io.js');
const { SharedStats } = await load('datapath/shared-stats.js');
const { UpcallLanes, upcallLaneBuffers } = await load('datapath/upcall-lanes.js');
const { CommandReader, CommandWriter } = await load('datapath/worker-commands.js');
const { Ofproto } = await load('ofproto/ofproto.js');
const { OfprotoRegistry } = await load('ofproto/registry.js');
const { defaultBundleSettings } = await load('ofproto/settings.js');
const { parseFlow } = await load('openflow/syntax/flow-parse.js');
const { NO_NAMES } = await load('openflow/syntax/names.js');
const { W_IN_PORT } = await load('packet/flow-layout.js');

const LIMITS = { maxPorts: 16, flowLimit: FLOWS_MAX };
const SLAB = { rxBytes: 1 << 20, copyHalfBytes: 5 << 18 };
const clock = { now: () => performance.now() + 1000, wallNow: () => Date.now() };

/** CPU time of the process, microseconds. */
function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** The main thread's side of a datapath, with a worker's engine that is called in between. */
class OneThreadDpif extends DpifBase {
  name = 'netdev@bench';
  type = 'netdev';
  workerUs = 0;
  sent = 0;
  ring = CommandRing.create();
  commands = new CommandWriter();
  gone = [];
  seq = 0;

  constructor() {
    super(clock, LIMITS);
    this.counters = [SharedStats.create({ ...LIMITS, flowSlots: FLOWS_MAX })];
    const lanes = upcallLaneBuffers();
    this.pushed = new UpcallLanes(lanes);
    this.popped = new UpcallLanes(lanes);
    this.memory = new FrameMemory(new ArrayBuffer(SLAB.rxBytes + 2 * SLAB.copyHalfBytes), SLAB);
    const [offsets, lengths] = [0, 0].map(() => new Int32Array(LIMITS.maxPorts * TX_BATCH));
    const io = new MemoryIo(offsets, lengths, () => {
      this.sent += 1;
      return 0;
    });
    const stats = this.counters[0];
    const sink = { upcall: () => false };
    const sizes = { maxPorts: LIMITS.maxPorts, flowSlots: FLOWS_MAX };
    const { memory, meters } = this;
    this.engine = new Engine({ memory, io, offsets, lengths, stats, sink, meters, ...sizes });
    this.reader = new CommandReader(this.engine, memory, () => this.engine.endBatch());
    this.workerRing = new CommandRing(this.ring.buffer);
  }

  workerStats() {
    return this.counters;
  }
  attach({ portNo }) {
    this.engine.egress.portAdd(portNo, PORT_PACKET, portNo);
  }
  detach() {}
  install(flow, program) {
    this.commands.flowPut(flow.slot, flow.masked, program);
  }
  replace(flow, program) {
    this.commands.flowModify(flow.slot, program);
  }
  uninstall(flow, done) {
    this.commands.flowDel(flow.slot);
    this.gone.push(done);
  }
  execute(frame, key, actions) {
    this.commands.execute(frame, key, this.programs.of(actions).program);
  }
  toClockMs(usedMs) {
    return usedMs;
  }
  configure() {}
  synced() {
    return true;
  }
  async sync() {
    this.flush();
  }

  /** Hands commands over, and carries them out. */
  flush() {
    if (!this.commands.empty) {
      this.ring.push(++this.seq, this.commands.peek());
      this.commands.clear();
      const before = cpuUs();
      while (this.workerRing.next()) {
        const { words, start, length } = this.workerRing;
        this.engine.nowMs = 1;
        this.reader.run(words, start, length);
        this.workerRing.done();
      }
      this.workerUs += cpuUs() - before;
    }
    for (const done of this.gone.splice(0)) done();
  }

  /** Takes every packet that waits. */
  drain() {
    for (let n = 1; ; n++) {
      const record = this.popped.pop();
      if (record !== null) {
        const { frame: data, vnetHdr, key } = record;
        this.upcallHandler({ type: 'miss', frame: { data, vnetHdr }, key, worker: 0 });
      }
      if (record === null || n % BATCH === 0) this.flush();
      if (record === null) return;
    }
  }
}

function device(n) {
  return {
    ...{ name: `p${n}`, type: 'system', carrier: () => true, carrierResets: () => 0 },
    ...{ etherAddr: () => Uint8Array.of(2, 0, 0, 0, 0, n), mtu: () => 1500 },
    ...{ adminUp: () => true, setAdminUp: () => undefined },
  };
}

/** A bridge with two ports, and the entry that new flows meet. */
function bridge(backer) {
  const ofproto = new Ofproto(backer, {
    ...{ name: 'br0', datapathId: 1n, clock, hwAddr: Uint8Array.of(2, 0, 0, 0, 0, 9) },
  });
  for (const n of [1, 2]) {
    const no = ofproto.portAdd(device(n));
    ofproto.bundleSet(`p${n}`, defaultBundleSettings(`p${n}`, [no]));
  }
  ofproto.setMacTableConfig(300, FLOWS_MAX);
  const consult = 'move:OXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:OXM_OF_IPV4_SRC[]->NXM_NX_REG1[]';
  const actions = kind === 'macs' ? 'NORMAL' : `${consult},output:2`;
  for (const flow of ['priority=20,udp,tp_dst=7,actions=drop', `udp,tp_dst=9,actions=${actions}`])
    ofproto.flowMod(parseFlow(`in_port=1,${flow}`, 'add', NO_NAMES).flow);
  return ofproto;
}

const HEADERS = Buffer.from(
  '02005e00530202005e0053010800' + '450000320000000040110000c63364010a63000204000009001e0000',
  'hex',
);

/** Puts the packet of a new flow into the ring. */
function send(dpif, off, n) {
  const { memory, engine } = dpif;
  const { view } = memory;
  memory.u8.set(HEADERS, off);
  if (kind === 'macs') view.setUint32(off + 8, n);
  view.setUint32(off + 26, 0xc6336401 + Math.floor(n / 60_000));
  view.setUint16(off + 34, 1024 + (n % 60_000));
  engine.extractor.parseL2(off, PACKET);
  engine.extractor.parseRest();
  const { key } = engine.extractor;
  key[W_IN_PORT] = 1;
  return dpif.pushed.push(UPCALL_MISS, memory.u8, off, PACKET, key, key, 0);
}

const dpif = new OneThreadDpif();
const registry = new OfprotoRegistry({ clock, wake: () => undefined });
const backer = registry.openBacker('netdev', dpif);
const ofproto = bridge(backer);
const off = dpif.memory.rxOffset;
dpif.memory.rxCommit(PACKET);
let next = 0;
console.log(`${FLOWS} flows a round; CPU time of each, us\n`);
console.log('| new | round | main | worker | gone |\n|---|---:|---:|---:|---:|');
for (let round = 1; round <= ROUNDS; round++) {
  let mainUs = 0;
  dpif.workerUs = 0;
  const sent = dpif.sent;
  for (let n = 0; n < FLOWS; ) {
    for (let i = 0; i < 1000 && n < FLOWS; i++, n++) {
      if (!send(dpif, off, next++)) throw new Error('the ring is full');
    }
    const before = cpuUs();
    dpif.drain();
    mainUs += cpuUs() - before;
    await null;
  }
  const { workerUs } = dpif;
  const flows = backer.udpif.ukeys.size;
  if (flows !== FLOWS || dpif.sent - sent !== FLOWS)
    throw new Error(`${flows} flows, ${dpif.sent - sent} packets`);
  const before = cpuUs();
  backer.udpif.removeAll();
  while (dpif.stats().flows > 0) await new Promise((resolve) => setImmediate(resolve));
  dpif.flush();
  const costs = [mainUs - workerUs, workerUs, cpuUs() - before].map((us) =>
    (us / FLOWS).toFixed(2),
  );
  console.log(`| ${[kind, round, ...costs].join(' | ')} |`);
  ofproto.macs.flush();
  await new Promise((resolve) => setImmediate(resolve));
}
process.exit(0);
