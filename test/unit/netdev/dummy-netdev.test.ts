/** Dummy devices: state, counters, receiving and sending in memory. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stoppedClock } from '../../../src/common/clock.js';
import { DummyNetdev, dummyPortNumber } from '../../../src/netdev/dummy-netdev.js';
import { DummyWires } from '../../../src/netdev/dummy-wires.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tapswitch-dummy-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function dummy(options: Record<string, string> = {}): DummyNetdev {
  return new DummyNetdev(
    'p1',
    'dummy',
    3,
    stoppedClock(1_700_000_000_250),
    new DummyWires(),
    options,
  );
}

/** Frames of a classic pcap file. */
function frames(path: string): string[] {
  const bytes = readFileSync(path);
  expect(bytes.subarray(0, 24).toString('hex')).toBe(
    'd4c3b2a1020004000000000000000000ee05000001000000',
  );
  const found: string[] = [];
  for (let at = 24; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 8);
    expect(bytes.readUInt32LE(at + 12)).toBe(length);
    expect(bytes.readUInt32LE(at)).toBe(1_700_000_000);
    expect(bytes.readUInt32LE(at + 4)).toBe(250_000);
    found.push(bytes.subarray(at + 16, at + 16 + length).toString('hex'));
    at += 16 + length;
  }
  return found;
}

const FRAME = Buffer.from(`${'01'.repeat(6)}${'02'.repeat(6)}88b5${'00'.repeat(46)}`, 'hex');

describe('DummyNetdev', () => {
  it('has the address and state of a fresh dummy', () => {
    const netdev = dummy();
    expect(Buffer.from(netdev.etherAddr()).toString('hex')).toBe('aa55aa550003');
    expect([netdev.mtu(), netdev.adminUp(), netdev.carrier()]).toEqual([1500, true, true]);
    expect(netdev.statistics().rx_dropped).toBeUndefined();
  });

  it('keeps arriving frames until a datapath listens, at most 100', () => {
    const netdev = dummy();
    const accepted = Array.from({ length: 120 }, () => netdev.receive(FRAME));
    expect(accepted.filter(Boolean).length).toBe(100);
    const got: number[] = [];
    netdev.onReceive((frame, queueId) => got.push(frame.length + queueId));
    expect(got.length).toBe(100);
    netdev.receive(FRAME, 2);
    expect(got.at(-1)).toBe(FRAME.length + 2);
    expect(netdev.statistics()).toMatchObject({
      rx_packets: 101,
      rx_bytes: 101 * FRAME.length,
      rx_q0_packets: 101,
      rx_custom_packets_1: 101,
    });
  });

  it('copies what waits: the injector may use its buffer again', () => {
    const netdev = dummy();
    const frame = Buffer.from(FRAME);
    netdev.receive(frame);
    frame.fill(9);
    netdev.onReceive((received) => expect(Buffer.from(received).equals(FRAME)).toBe(true));
    expect(netdev.statistics().rx_packets).toBe(1);
  });

  it('sends what fits the MTU, with room for one tag', () => {
    const netdev = dummy();
    const tagged = Buffer.alloc(1518);
    tagged.writeUInt16BE(0x8100, 12);
    expect(netdev.send(Buffer.alloc(13))).toBe(false);
    expect(netdev.send(Buffer.alloc(1514))).toBe(true);
    expect(netdev.send(Buffer.alloc(1515))).toBe(false);
    expect(netdev.send(tagged)).toBe(true);
    netdev.setMtu(9000);
    expect(netdev.send(Buffer.alloc(9014))).toBe(true);
    expect(netdev.statistics()).toMatchObject({ tx_packets: 3, tx_bytes: 1514 + 1518 + 9014 });
  });

  it('captures each direction into its own file, or both into one', () => {
    const rx = join(folder, 'rx.pcap');
    const tx = join(folder, 'tx.pcap');
    const netdev = dummy({ rxq_pcap: rx, tx_pcap: tx });
    const other = Buffer.from(FRAME).fill(7, 14);
    netdev.receive(FRAME);
    netdev.send(other);
    expect(frames(rx)).toEqual([FRAME.toString('hex')]);
    expect(frames(tx)).toEqual([other.toString('hex')]);
    // Options set anew append to the files that are there.
    netdev.setOptions({ pcap: tx });
    netdev.receive(FRAME);
    expect(frames(tx)).toEqual([other.toString('hex'), FRAME.toString('hex')]);
    netdev.close();
  });

  it('goes on without a capture file that cannot be opened', () => {
    const netdev = dummy({ tx_pcap: join(folder, 'no-such-folder', 'x.pcap') });
    expect(netdev.send(FRAME)).toBe(true);
  });

  it('tells changes, once each', () => {
    const netdev = dummy();
    const seq = netdev.changeSeq();
    let events = 0;
    const stop = netdev.onEvent(() => {
      events += 1;
    });
    netdev.setAdminUp(false);
    netdev.setAdminUp(false);
    expect(netdev.carrier()).toBe(false);
    netdev.setAdminUp(true);
    netdev.setCarrier(false);
    netdev.setCarrier(true);
    expect(netdev.carrierResets()).toBe(2);
    expect([events, netdev.changeSeq() - seq]).toEqual([4, 4]);
    stop();
    netdev.setMtu(1000);
    expect(events).toBe(4);
  });
});

describe('dummyPortNumber', () => {
  it.each([
    ['p1', 1],
    ['br0', 100],
    ['br12', 112],
    ['eth7a9', 7],
    ['p0', null],
    ['lo', null],
    ['p70000', null],
  ])('%s -> %s', (name, number) => {
    expect(dummyPortNumber(name)).toBe(number);
  });

  it('gives a usable number or none, whatever the name', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const number = dummyPortNumber(name);
        expect(number === null || (number > 0 && number < 0xffff)).toBe(true);
      }),
    );
  });
});
