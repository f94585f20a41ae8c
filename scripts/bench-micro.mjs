/**
 * Micro-benchmarks of the packet path, in one process and without a kernel: what a packet costs in
 * TypeScript.
 *
 *     npm run bench:micro [-- NAME]        only those whose name contains NAME
 *
 *     key extraction         layer 2 only, and everything: UDP, TCP over IPv6, two tags
 *     exact-match cache      a hit, by number of flows
 *     megaflow look-up       the last of 1, 10, 100 masks; 1,000 and 100,000 flows; none matches
 *     actions                one output, a tag, addresses, a flood to eight ports
 *     whole engine           a packet from ring to output, by number of flows and of masks
 */
import { bench, do_not_optimize, run } from 'mitata';

const dist = (path) => import(new URL(`../dist/${path}`, import.meta.url).href);
const { compileActions } = await dist('datapath/compile-actions.js');
const { PORT_PACKET, TX_BATCH } = await dist('datapath/egress.js');
const { Engine } = await dist('datapath/engine.js');
const { ExactMatchCache } = await dist('datapath/exact-cache.js');
const { FrameMemory, HEADROOM } = await dist('datapath/frame-memory.js');
const { MegaflowTable, maskedKey } = await dist('datapath/megaflow-table.js');
const { MemoryIo } = await dist('datapath/memory-io.js');
const { MeterTable } = await dist('datapath/meter-table.js');
const { C_MISS, SharedStats } = await dist('datapath/shared-stats.js');
const { FlowExtractor } = await dist('packet/extract.js');
const F = await dist('packet/flow-layout.js');

const MAX_PORTS = 32;
const BATCH = 32;
/** Different packets that take turns: a power of two. */
const PACKETS = 4096;

/** Headers of a frame; the rest is zeros. */
const FRAMES = {
  udp: '02000000000202000000000108004500002e00000000401100000a0000010a0000020fa00fa0001a0000',
  tcp6:
    '02000000000202000000000186dd6000000000140640' +
    '20010db800000000000000000000000120010db8000000000000000000000002' +
    '0fa0005000000001000000025010ffff00000000',
  tags: '020000000002020000000001810000648100000a08004500002e00000000401100000a0000010a000002',
};

function frame(name, bytes = 64) {
  const out = new Uint8Array(bytes);
  out.set(Buffer.from(FRAMES[name], 'hex'));
  // The total length that the IP header tells.
  if (name === 'udp') new DataView(out.buffer).setUint16(16, bytes - 14);
  return out;
}

function memoryWith(bytes) {
  const memory = new FrameMemory(new ArrayBuffer(4 << 20), {
    rxBytes: 1 << 20,
    copyHalfBytes: 1 << 20,
  });
  const off = memory.rxOffset;
  memory.rxCommit(bytes.length);
  memory.u8.set(bytes, off);
  return { memory, off };
}

function fullKey(bytes, port = 1) {
  const { memory, off } = memoryWith(bytes);
  const extractor = new FlowExtractor(memory.view);
  const cls = extractor.parseL2(off, bytes.length);
  extractor.parseRest();
  extractor.key[F.W_IN_PORT] = port;
  return { key: extractor.key.slice(), cls };
}

/** Keys that differ in source address and port: as many as there are flows. */
function keys(flows) {
  const { key } = fullKey(frame('udp'));
  return Array.from({ length: Math.min(flows, 1 << 17) }, (_, n) => {
    const one = key.slice();
    one[F.W_NW_SRC] = 0x0a000000 + n;
    one[F.W_TP] = ((4000 + (n & 0x7fff)) << 16) | 4000;
    return one;
  });
}

function maskOf(...words) {
  const mask = F.newFlow();
  for (const word of [F.W_IN_PORT, F.W_DL_TYPE, ...words]) mask[word] = -1;
  return mask;
}

/** The n-th of many masks: a prefix of the source address, and a bit of the destination. */
function prefixMask(n) {
  const mask = maskOf();
  mask[F.W_NW_SRC] = n === 0 ? -1 : -1 << (n % 24);
  mask[F.W_NW_DST] = n === 0 ? 0 : n;
  return mask;
}

const FLOW = maskOf(F.W_NW_SRC, F.W_TP);

function extraction() {
  for (const name of ['udp', 'tcp6', 'tags']) {
    const bytes = frame(name, 96);
    const { memory, off } = memoryWith(bytes);
    const extractor = new FlowExtractor(memory.view);
    bench(`extract ${name}, layer 2`, () => do_not_optimize(extractor.parseL2(off, 96)));
    bench(`extract ${name}, all`, () => {
      extractor.parseL2(off, 96);
      extractor.parseRest();
    });
  }
}

function exactCache(flows) {
  const cache = new ExactMatchCache(new Int32Array(1 << 18));
  const table = new MegaflowTable();
  const all = keys(flows);
  all.forEach((key, slot) => {
    table.insert(maskedKey(key, FLOW), slot);
  });
  cache.setUnion(table.unions);
  const { cls } = fullKey(frame('udp'));
  for (const [slot, key] of all.entries()) {
    if (cache.lookup(key, cls) < 0) cache.insert(key, cls, slot);
  }
  let at = 0;
  bench(`exact cache, ${flows} flows`, () => {
    do_not_optimize(cache.lookup(all[at], cls));
    at = (at + 1) % all.length;
  });
}

function megaflows(flows, masks) {
  const table = new MegaflowTable();
  const all = keys(flows);
  const { cls } = fullKey(frame('udp'));
  const wanted = all.slice(0, Math.max(1, Math.floor(flows / masks)));
  // Other masks first: what is wanted is found by the last.
  for (let n = 1; n < masks; n += 1) {
    const other = all[0].slice();
    other[F.W_NW_SRC] = 0x7f000000 + (n << 24);
    other[F.W_NW_DST] = 0x7f000000 + n;
    table.insert(maskedKey(other, prefixMask(n)), 200_000 + n);
  }
  for (const [slot, key] of wanted.entries()) table.insert(maskedKey(key, FLOW), slot);
  let at = 0;
  bench(`megaflow, ${wanted.length} flows, mask ${table.masks} of ${table.masks}`, () => {
    do_not_optimize(table.lookup(wanted[at], cls));
    at = (at + 1) % wanted.length;
  });
  const stranger = all[0].slice();
  stranger[F.W_NW_SRC] = 0x01010101;
  bench(`megaflow, none of ${table.masks} masks`, () =>
    do_not_optimize(table.lookup(stranger, cls)),
  );
}

/** An engine over plain memory whose kernel takes everything. */
function engineWith(flowSlots) {
  const sizes = { rxBytes: 1 << 20, copyHalfBytes: 1 << 20 };
  const memory = new FrameMemory(new ArrayBuffer((3 << 20) + 4096), sizes);
  const offsets = new Int32Array(MAX_PORTS * TX_BATCH);
  const lengths = new Int32Array(MAX_PORTS * TX_BATCH);
  const io = new MemoryIo(offsets, lengths, () => 0);
  const engine = new Engine({
    meters: MeterTable.create(16),
    memory,
    io,
    offsets,
    lengths,
    stats: SharedStats.create({ maxPorts: MAX_PORTS, flowSlots }),
    maxPorts: MAX_PORTS,
    flowSlots,
    sink: { upcall: () => false },
  });
  for (let port = 1; port < MAX_PORTS; port += 1) engine.egress.portAdd(port, PORT_PACKET, port);
  return { engine, memory };
}

/** A batch of 32 packets, each of the next flow: forwards them and sends. */
function batches(engine, memory, flows) {
  const bytes = frame('udp');
  let flow = 0;
  return () => {
    for (let i = 0; i < BATCH; i += 1) {
      const off = memory.rxOffset;
      memory.rxCommit(bytes.length);
      memory.u8.set(bytes, off);
      memory.view.setInt32(off + 26, 0x0a000000 + flow);
      memory.view.setUint16(off + 34, 4000 + (flow & 0x7fff));
      flow = (flow + 1) % flows;
      engine.receive(off, bytes.length, 1, off - HEADROOM);
    }
    engine.endBatch();
  };
}

function actions() {
  const { key } = fullKey(frame('udp'));
  const output = (port) => ({ type: 'output', port });
  const addresses = () => {
    const value = F.newFlow();
    const mask = F.newFlow();
    for (const word of [F.W_DL_DST, F.W_DL_DST_SRC, F.W_DL_SRC]) mask[word] = -1;
    return { type: 'set', attr: 'eth', value, mask };
  };
  const lists = {
    output: [output(2)],
    'push_vlan, output': [{ type: 'push_vlan', tpid: 0x8100, tci: 0x1064 }, output(2)],
    'set eth, output': [addresses(), output(2)],
    'output to 8 ports': Array.from({ length: 8 }, (_, n) => output(n + 2)),
  };
  for (const [name, list] of Object.entries(lists)) {
    const { engine, memory } = engineWith(16);
    engine.flowPut(0, maskedKey(key, maskOf()), compileActions(list));
    bench(`32 packets, ${name}`, batches(engine, memory, 1));
  }
}

function wholeEngine(flows, masks) {
  const { engine, memory } = engineWith(1 << 18);
  const out = compileActions([{ type: 'output', port: 2 }]);
  const all = keys(flows);
  for (let n = 1; n < masks; n += 1) {
    const other = all[0].slice();
    other[F.W_NW_SRC] = 0x7f000000 + (n << 24);
    other[F.W_NW_DST] = 0x7f000000 + n;
    engine.flowPut(200_000 + n, maskedKey(other, prefixMask(n)), out);
  }
  for (const [slot, key] of all.entries()) engine.flowPut(slot, maskedKey(key, FLOW), out);
  const forward = batches(engine, memory, flows);
  forward();
  if (engine.stats.counters[C_MISS] > 0) throw new Error('frames and flows do not match');
  bench(`32 packets, ${flows} flows, ${masks} masks`, forward);
}

const only = process.argv[2] ?? '';
const groups = {
  'key extraction': extraction,
  'exact-match cache': () => [64, PACKETS, 100_000].forEach(exactCache),
  'megaflow look-up': () => {
    for (const [flows, masks] of [
      [1000, 1],
      [100_000, 1],
      [1000, 10],
      [1000, 100],
    ]) {
      megaflows(flows, masks);
    }
  },
  actions,
  'whole engine': () => {
    for (const [flows, masks] of [
      [1, 1],
      [64, 1],
      [10_000, 1],
      [100_000, 1],
      [64, 10],
      [10_000, 10],
      [100_000, 100],
    ]) {
      wholeEngine(flows, masks);
    }
  },
};
for (const [name, make] of Object.entries(groups)) if (name.includes(only)) make();
const { benchmarks } = await run({ format: 'quiet', throw: true });
process.stdout.write(`ns for a packet, median and fastest of many; Node.js ${process.version}\n\n`);
for (const { alias, runs } of benchmarks) {
  const { p50, min } = runs[0].stats;
  const per = alias.startsWith(`${BATCH} packets`) ? BATCH : 1;
  const figures = [p50, min].map((ns) => (ns / per).toFixed(1).padStart(9)).join('');
  process.stdout.write(`${alias.replace(`${BATCH} packets`, 'engine').padEnd(44)}${figures}\n`);
}
