/**
 * NetFlow's and IPFIX's timers with a stopped clock, and a collector that is down: what is told of
 * a flow when, and that nothing is counted twice or lost.
 */
import { createSocket, type Socket } from 'node:dgram';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stoppedClock, type WarpClock } from '../../src/common/clock.js';
import { getLogger } from '../../src/common/log.js';
import { Collectors, parseCollector } from '../../src/export/collectors.js';
import { IpfixExporter } from '../../src/export/ipfix-exporter.js';
import { templateSets } from '../../src/export/ipfix-message.js';
import { templateKindOf } from '../../src/export/ipfix-record.js';
import { templateKinds } from '../../src/export/ipfix-templates.js';
import { Netflow } from '../../src/export/netflow.js';
import type { NetflowSettings } from '../../src/export/settings.js';
import { newFlow, W_DL_TYPE, W_NW } from '../../src/packet/flow-layout.js';
import { eventually, sleep } from '../support/command.js';
import { decodeNetflow, IpfixCollector } from '../support/export-decode.js';

let clock: WarpClock;
let socket: Socket;
let target: string;
let datagrams: Uint8Array[];

beforeEach(async () => {
  clock = stoppedClock(1_000_000);
  datagrams = [];
  socket = createSocket('udp4');
  socket.on('message', (message) => datagrams.push(Uint8Array.from(message)));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  target = `127.0.0.1:${socket.address().port}`;
});

afterEach(() => {
  socket.close();
});

const KEY = { inPort: 1, nwSrc: 1, nwDst: 2, nwTos: 0, nwProto: 17, tpSrc: 3, tpDst: 4 };

function netflow(settings: Partial<NetflowSettings> = {}): Netflow {
  const defaults = { engineType: 1, engineId: 2, addIdToInterface: false, activeTimeoutMs: 10_000 };
  return new Netflow({ targets: [target], ...defaults, ...settings }, clock);
}

function records(): Record<string, number>[] {
  return datagrams.flatMap((datagram) => decodeNetflow(datagram).records);
}

async function received(n: number): Promise<void> {
  await eventually(`${n} records, not ${records().length}`, () => records().length >= n, 5000, 5);
}

describe('NetFlow', () => {
  it('tells of a flow when it ends, with times and counts', async () => {
    const nf = netflow();
    nf.update(KEY, 2, { packets: 1, bytes: 60, usedMs: clock.now() });
    clock.advance(5000);
    nf.update(KEY, 2, { packets: 9, bytes: 540, usedMs: clock.now(), tcpFlags: 0x12 });
    nf.clear(KEY);
    nf.run(clock.now());
    await received(1);
    expect(records()).toEqual([
      {
        ...{ srcAddr: 1, dstAddr: 2, input: 1, output: 2, packets: 10, bytes: 600 },
        ...{ firstMs: 0, lastMs: 5000, srcPort: 3, dstPort: 4 },
        ...{ tcpFlags: 0x12, protocol: 17, tos: 0 },
      },
    ]);
    nf.close();
  });

  it('tells every active timeout of a flow that goes on, and forgets others', async () => {
    const nf = netflow();
    for (let second = 0; second <= 60; second++) {
      nf.update(KEY, 2, { packets: 1, bytes: 100, usedMs: clock.now() });
      nf.run(clock.now());
      clock.advance(1000);
    }
    await received(5);
    for (let second = 0; second < 30; second++) {
      clock.advance(1000);
      nf.run(clock.now());
    }
    expect(nf.stats.flows).toBe(0);
    await eventually('all packets', () => total('packets') === 61, 5000, 5);
    expect(records().length).toBeLessThanOrEqual(8);
    nf.close();
  });

  const total = (what: string) => records().reduce((sum, record) => sum + record[what], 0);

  it('tells of the packets that went elsewhere when the output changes', async () => {
    const nf = netflow();
    nf.update(KEY, 0xffff, { packets: 1, bytes: 60, usedMs: clock.now() });
    nf.update(KEY, 2, { packets: 5, bytes: 300, usedMs: clock.now() });
    nf.close();
    await received(2);
    expect(records().map(({ output, packets }) => [output, packets])).toEqual([
      [0xffff, 1],
      [2, 5],
    ]);
  });

  it('splits what 32 bits cannot hold, and loses nothing', async () => {
    const nf = netflow();
    const bytes = 10 * 2 ** 32 + 12_345;
    nf.update(KEY, 2, { packets: 7_000_001, bytes, usedMs: clock.now() });
    nf.clear(KEY);
    nf.run(clock.now());
    await eventually('all bytes', () => total('bytes') === bytes, 5000, 5);
    expect(total('packets')).toBe(7_000_001);
    nf.close();
  });

  it('puts 30 records into a datagram, whose sequence counts records', async () => {
    const nf = netflow();
    for (let i = 0; i < 65; i++) {
      nf.update({ ...KEY, tpSrc: i }, 2, { packets: 1, bytes: 60, usedMs: clock.now() });
    }
    nf.close();
    await received(65);
    const heads = datagrams.map((d) => [
      decodeNetflow(d).header.sequence,
      decodeNetflow(d).records,
    ]);
    expect(heads.map(([sequence, list]) => [sequence, (list as unknown[]).length])).toEqual([
      [0, 30],
      [30, 30],
      [60, 5],
    ]);
  });

  it('puts the engine into the numbers of interfaces', async () => {
    const nf = netflow({ addIdToInterface: true, engineId: 5 });
    nf.update({ ...KEY, inPort: 0x1ff }, 0xfffe, { packets: 1, bytes: 60, usedMs: 0 });
    nf.close();
    await received(1);
    expect(records()[0]).toMatchObject({ input: (5 << 9) | 0x1ff, output: (5 << 9) | 0x1fe });
  });
});

describe('IPFIX', () => {
  const sample = () => {
    const key = newFlow();
    key[W_DL_TYPE] = 0x0800 << 16;
    key[W_NW] = 17 << 24;
    const kind = templateKindOf(key, false);
    return { kind, key, frameBytes: 114, packets: 2, dropped: false };
  };
  const settings = {
    targets: [''],
    activeTimeoutSec: 10,
    flowsMax: 5,
    virtualObsId: null,
    statsIntervalSec: 600,
    templateIntervalSec: 600,
  };

  it('gathers for the active timeout, and ends the oldest when there are too many', async () => {
    const exporter = new IpfixExporter({ ...settings, targets: [target] }, 0, clock);
    for (let i = 0; i < 3; i++) exporter.sample(sample(), 1, Uint8Array.of(1));
    clock.advance(9000);
    exporter.run(clock.now());
    expect(exporter.stats).toMatchObject({ currentFlows: 1, packets: 3, totalFlows: 1 });
    for (let i = 2; i < 9; i++) exporter.sample(sample(), 1, Uint8Array.of(i));
    expect(exporter.stats.currentFlows).toBe(5);
    clock.advance(10_000);
    exporter.run(clock.now());
    expect(exporter.stats.currentFlows).toBe(0);
    exporter.close();
  });

  it('sends templates first and every ten minutes; the sequence counts records', async () => {
    const exporter = new IpfixExporter({ ...settings, targets: [target] }, 0, clock);
    const collector = new IpfixCollector();
    for (const minutes of [0, 1, 10]) {
      clock.advance(minutes * 60_000);
      exporter.sample(sample(), 1, new Uint8Array(48));
      clock.advance(10_000);
      exporter.run(clock.now());
    }
    exporter.close();
    await eventually('all messages', () => datagrams.length >= 3, 5000, 5);
    await sleep(50);
    const templateMessages = datagrams.filter((d) => d[16] === 0 && d[17] === 2);
    expect(templateMessages.length % 2).toBe(0);
    let next = 0;
    for (const datagram of datagrams) {
      if (datagram[16] === 0) continue;
      expect(new DataView(datagram.buffer).getUint32(8)).toBe(next);
      next += 1;
    }
    expect(collector.records).toEqual([]);
    expect(next).toBe(5);
  });

  it('sends templates and statistics of itself as often as it is told to', async () => {
    const often = { ...settings, statsIntervalSec: 20, templateIntervalSec: 60 };
    const exporter = new IpfixExporter({ ...often, targets: [target] }, 0, clock);
    for (let i = 0; i < 6; i++) {
      exporter.sample(sample(), 1, new Uint8Array(48));
      clock.advance(20_000);
      exporter.run(clock.now());
    }
    exporter.close();
    // Six records, templates twice, and six times the statistics with a template of their own.
    const sets = (id: number) => datagrams.filter((d) => d[16] === id >> 8 && d[17] === id % 256);
    await eventually('all statistics', () => sets(3).length >= 6, 5000, 5);
    expect(sets(2)).toHaveLength(2 * templateSets(templateKinds(), false).length);
    expect(sets(3)).toHaveLength(6);
  });
});

describe('collectors', () => {
  it('are written as an address with or without a port', () => {
    expect(parseCollector('1.2.3.4:99', null)).toEqual({ host: '1.2.3.4', port: 99 });
    expect(parseCollector('[::1]:99', null)).toEqual({ host: '::1', port: 99 });
    expect(parseCollector('::1', 5)).toEqual({ host: '::1', port: 5 });
    expect(parseCollector('1.2.3.4', null)).toBeNull();
    expect(parseCollector('1.2.3.4:99999', 5)).toBeNull();
    expect(parseCollector('', 5)).toBeNull();
  });

  it('that are down cost an error a datagram, and no memory', async () => {
    // Nobody listens there once it is closed.
    const gone = createSocket('udp4');
    await new Promise<void>((resolve) => gone.bind(0, '127.0.0.1', resolve));
    const { port } = gone.address();
    gone.close();
    const targets = [target, `127.0.0.1:${port}`, 'nonsense:0'];
    const collectors = new Collectors(targets, null, clock, getLogger('netflow'));
    expect(collectors.count).toBe(2);
    for (let i = 0; i < 1000; i++) collectors.send(new Uint8Array(1400));
    // What waits is bounded: the rest was refused at once.
    expect(collectors.txErrors).toBeGreaterThanOrEqual(2 * (1000 - 64));
    for (let i = 0; i < 20; i++) {
      await sleep(5);
      collectors.send(new Uint8Array(100));
    }
    await eventually('the living one to get all', () => datagrams.length >= 64 + 15, 5000, 5);
    expect(collectors.txErrors).toBeGreaterThan(2 * (1000 - 64));
    collectors.close();
  });
});
