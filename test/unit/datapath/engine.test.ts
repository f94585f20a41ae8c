/** The engine on plain memory: classification, actions, drops, statistics. */
import { describe, expect, it } from 'vitest';
import { bondSlot } from '../../../src/datapath/bond-buckets.js';
import { compileActions } from '../../../src/datapath/compile-actions.js';
import { DROP_REASONS, DropReason } from '../../../src/datapath/drop-reasons.js';
import { hashL4 } from '../../../src/datapath/flow-hash.js';
import type { OdpAction } from '../../../src/datapath/odp-actions.js';
import { BOND_BUCKETS, C_CACHE_HIT, C_LOST, C_MISS } from '../../../src/datapath/shared-stats.js';
import { crc32cUpdate } from '../../../src/packet/checksum.js';
import { extractFlow } from '../../../src/packet/extract.js';
import { newFlow } from '../../../src/packet/flow-layout.js';
import {
  ethFrame,
  ipv4Int,
  ipv4Packet,
  macBytes,
  tcp4Frame,
  udp4Frame,
} from '../../support/frame-builder.js';
import { EngineFixture } from './engine-fixture.js';

const A = macBytes('02:00:00:00:00:0a');
const B = macBytes('02:00:00:00:00:0b');
const IP = { src: ipv4Int('10.0.0.1'), dst: ipv4Int('10.0.0.2') };

function udp(src = 1, dst = 2, size = 18): Uint8Array {
  return udp4Frame({ dst: B, src: A }, IP, { src, dst }, new Uint8Array(size));
}

/** A mask of the given [word, bits]. */
function mask(...parts: [number, number][]) {
  const m = newFlow();
  for (const [word, bits] of parts) m[word] |= bits;
  return m;
}

const L2 = mask([0, -1], [1, -1], [2, -1], [3, -1], [4, -1], [7, 0xffffff00 | 0]);

describe('Engine', () => {
  it('forwards any number of UDP flows by one cache entry when only layer 2 is consulted', () => {
    const fixture = new EngineFixture();
    fixture.flow(3, extractFlow(udp(), 1), L2, [{ type: 'output', port: 2 }]);
    for (let n = 0; n < 500; n++) fixture.receive(udp(n, 2 * n));
    expect(fixture.sent.length).toBe(500);
    expect(fixture.stats.counters[C_CACHE_HIT]).toBe(499);
    expect(fixture.packets(3)).toBe(500);
  });

  it('keeps apart what one megaflow more makes differ', () => {
    const fixture = new EngineFixture();
    const low = mask([7, 0xffff0000 | 0], [11, 0xffff]);
    const key = (dst: number) => extractFlow(udp(1, dst), 1);
    fixture.flow(1, key(80), low, [{ type: 'output', port: 4 }]);
    fixture.flow(2, key(443), low, [{ type: 'output', port: 5 }]);
    for (const dst of [80, 443, 80, 22]) fixture.receive(udp(9, dst));
    expect(fixture.sent.map((s) => s.port)).toEqual([4, 5, 4]);
    expect(fixture.upcalls.length).toBe(1);
    fixture.engine.flowDel(1);
    fixture.receive(udp(9, 80));
    expect(fixture.upcalls.length).toBe(2);
  });

  it('replaces actions of an installed flow at once', () => {
    const fixture = new EngineFixture();
    fixture.flow(1, newFlow(), newFlow(), [{ type: 'output', port: 2 }]);
    fixture.receive(udp());
    fixture.engine.flowModify(1, compileActions([{ type: 'output', port: 3 }]));
    fixture.receive(udp());
    expect(fixture.sent.map((s) => s.port)).toEqual([2, 3]);
    expect(fixture.packets(1)).toBe(2);
  });

  it('drops runts and counts them', () => {
    const fixture = new EngineFixture();
    for (let len = 0; len < 14; len++) fixture.receive(new Uint8Array(len));
    expect(fixture.upcalls).toEqual([]);
    expect(fixture.stats.drops[DropReason.rxInvalidPacket]).toBe(14);
    fixture.receive(new Uint8Array(14));
    expect(fixture.upcalls.length).toBe(1);
  });

  it('counts packets that find the way up full', () => {
    const fixture = new EngineFixture();
    fixture.upcallRoom = false;
    fixture.receive(udp());
    expect(fixture.stats.counters[C_MISS]).toBe(1);
    expect(fixture.stats.counters[C_LOST]).toBe(1);
  });

  it('gathers the TCP flags that a flow consults', () => {
    const fixture = new EngineFixture();
    fixture.flow(0, newFlow(), mask([12, 0]), []);
    fixture.engine.flowDel(0);
    const tcp = (flags: number) =>
      tcp4Frame({ dst: B, src: A }, IP, { src: 1, dst: 2, flags }, new Uint8Array(0));
    fixture.flow(1, extractFlow(tcp(0x10), 1), mask([12, 0x00100000]), []);
    fixture.receive(tcp(0x12));
    fixture.receive(tcp(0x18));
    expect(fixture.stats.flows[4 + 3]).toBe(0x1a);
    expect(fixture.stats.drops[DropReason.pipeline]).toBe(2);
  });

  it('keeps the CRC of an SCTP packet right when its ports change', () => {
    const fixture = new EngineFixture();
    const segment = (src: number, dst: number) => {
      const sctp = Uint8Array.from({ length: 30 }, (_, i) => i);
      const view = new DataView(sctp.buffer);
      view.setUint16(0, src);
      view.setUint16(2, dst);
      view.setInt32(8, 0);
      view.setInt32(8, ~crc32cUpdate(-1, sctp, 0, sctp.length), true);
      return ethFrame({ dst: B, src: A }, 0x0800, ipv4Packet({ ...IP, protocol: 132 }, sctp));
    };
    const value = newFlow();
    value[11] = (7000 << 16) | 8000;
    const [sent] = fixture.run(segment(1, 2), [
      { type: 'set', attr: 'sctp', value, mask: mask([11, -1]) },
      { type: 'output', port: 2 },
    ]);
    expect(Buffer.compare(sent.frame, segment(7000, 8000))).toBe(0);
  });

  it('recirculates with the hash as part of the key', () => {
    const fixture = new EngineFixture();
    const first = mask([0, -1]);
    fixture.flow(0, newFlow(), first, [
      { type: 'hash', algorithm: 'l4', basis: 0 },
      { type: 'recirc', id: 7 },
    ]);
    const seen = new Set<number>();
    for (let n = 0; n < 64; n++) fixture.receive(udp(n));
    for (const { key } of fixture.upcalls) {
      expect(key[0]).toBe(7);
      seen.add(key[33] & 7);
    }
    // Every bucket of eight gets something.
    expect(seen.size).toBe(8);
    const second = newFlow();
    second[0] = 7;
    fixture.flow(1, second, first, [{ type: 'output', port: 6 }]);
    fixture.receive(udp(5));
    expect(fixture.sent.map((s) => s.port)).toEqual([6]);
    // The next packet starts without metadata.
    fixture.engine.flowDel(0);
    fixture.upcalls.length = 0;
    fixture.receive(udp(5));
    expect(fixture.upcalls[0].key[0]).toBe(0);
    expect(fixture.upcalls[0].key[33]).toBe(0);
  });

  it('ends endless recirculation as a counted drop', () => {
    const fixture = new EngineFixture();
    fixture.flow(0, newFlow(), newFlow(), [
      { type: 'output', port: 2 },
      { type: 'recirc', id: 1 },
    ]);
    fixture.receive(udp());
    expect(fixture.stats.drops[DropReason.recursionTooDeep]).toBe(1);
    expect(fixture.sent.length).toBe(13);
  });

  it('sends packets up with their cookie and what trunc leaves of them', () => {
    const fixture = new EngineFixture();
    const cookie = {
      type: 'controller' as const,
      id: 12,
      maxLen: 128,
      dontSend: true,
      reason: 3,
    };
    fixture.run(udp(), [
      { type: 'trunc', maxLen: 20 },
      { type: 'userspace', cookie },
      { type: 'userspace', cookie: { type: 'slow_path', reason: 'lacp' } },
    ]);
    expect(fixture.upcalls.map((u) => u.frame.length)).toEqual([20, 60]);
    expect(fixture.upcalls[0].cookie).toEqual(cookie);
    expect(fixture.upcalls[1].cookie).toEqual({ type: 'slow_path', reason: 'lacp' });
  });

  it("sends by the port of the packet's bucket (lb_output), and counts for it", () => {
    const fixture = new EngineFixture();
    const at = bondSlot(7) * BOND_BUCKETS;
    const { bondPorts, bondBytes, drops } = fixture.stats;
    for (let i = 0; i < BOND_BUCKETS; i++) bondPorts[at + i] = 2 + (i & 1);
    const lbOutput: OdpAction[] = [{ type: 'lb_output', bond: 7, basis: 0 }];
    const sent = Array.from({ length: 100 }, (_, i) => fixture.run(udp(i + 1), lbOutput)).flat();
    const byPort = [2, 3].map((port) => sent.filter((s) => s.port === port).length);
    expect(byPort[0] + byPort[1]).toBe(100);
    expect(Math.min(...byPort)).toBeGreaterThan(20);
    const bytes = bondBytes.subarray(at, at + BOND_BUCKETS).reduce((sum, n) => sum + n, 0);
    expect(bytes).toBe(sent.reduce((sum, { frame }) => sum + frame.length, 0));
    bondPorts.fill(-1);
    expect(fixture.run(udp(1), lbOutput)).toEqual([]);
    expect(drops[DropReason.pipeline]).toBe(1);
  });

  it('hashes for lb_output as for hash and recirc, with the basis that is asked for', () => {
    const fixture = new EngineFixture();
    const at = bondSlot(7) * BOND_BUCKETS;
    const { bondPorts } = fixture.stats;
    for (const basis of [0, 77, 0xffffffff]) {
      for (let i = 1; i <= 50; i++) {
        const bucket = hashL4(extractFlow(udp(i)), basis | 0) & (BOND_BUCKETS - 1);
        bondPorts.fill(3, at, at + BOND_BUCKETS);
        bondPorts[at + bucket] = 2;
        const sent = fixture.run(udp(i), [{ type: 'lb_output', bond: 7, basis }]);
        expect(sent.map(({ port }) => port)).toEqual([2]);
      }
    }
  });

  it('counts what the kernel refuses and sends the rest', () => {
    const fixture = new EngineFixture();
    fixture.flow(0, newFlow(), newFlow(), [{ type: 'output', port: 2 }]);
    fixture.answer = (_port, len) => (len > 100 ? -90 : 0);
    for (const size of [10, 200, 20, 300, 30])
      fixture.receive(udp(1, 2, size), 1, undefined, false);
    fixture.engine.endBatch();
    expect(fixture.sent.length).toBe(3);
    expect(fixture.stats.drops[DropReason.txTooBig]).toBe(2);
    fixture.answer = () => -100;
    fixture.receive(udp());
    expect(fixture.stats.drops[DropReason.portDown]).toBe(1);
  });

  it('counts outputs to ports that do not exist', () => {
    const fixture = new EngineFixture();
    fixture.run(udp(), [
      { type: 'output', port: 99 },
      { type: 'output', port: -1 },
      { type: 'output', port: 2 },
    ]);
    expect(fixture.sent.length).toBe(1);
    expect(fixture.stats.drops[DropReason.invalidPort]).toBe(2);
  });

  it('sends more frames to a port in one batch than a row holds, in order', () => {
    const fixture = new EngineFixture();
    fixture.flow(0, newFlow(), newFlow(), [{ type: 'output', port: 2 }]);
    for (let n = 0; n < 300; n++) fixture.receive(udp(n), 1, undefined, false);
    fixture.engine.endBatch();
    expect(fixture.sent.map((s) => s.frame[34] * 256 + s.frame[35])).toEqual(
      Array.from({ length: 300 }, (_, n) => n),
    );
  });

  it('runs hundreds of copies of the largest frame through its copy space', () => {
    const fixture = new EngineFixture({ rxBytes: 256 << 10, copyHalfBytes: 5 << 18 });
    const actions: OdpAction[] = [];
    for (let n = 0; n < 200; n++) {
      actions.push({
        type: 'clone',
        actions: [
          { type: 'push_vlan', tpid: 0x8100, tci: n },
          { type: 'output', port: 2 },
        ],
      });
    }
    const large = udp(1, 2, 65_507);
    const sent = fixture.run(large, actions);
    expect(sent.length).toBe(200);
    sent.forEach(({ frame }, n) => {
      expect(frame.length).toBe(large.length + 4);
      expect(frame[15]).toBe(n);
    });
  });
});

describe('compileActions', () => {
  const unsupported: OdpAction[] = [
    { type: 'set', attr: 'tunnel', value: newFlow(), mask: newFlow() },
  ];
  it.each(unsupported.map((a) => [a.type, a] as const))('refuses %s', (_name, action) => {
    expect(() => compileActions([{ type: 'clone', actions: [action] }])).toThrowError(
      expect.objectContaining({ code: 'E_DP_ACTION_UNSUPPORTED' }),
    );
  });

  it('refuses programs without bound', () => {
    const many = Array.from({ length: 10_000 }, () => ({ type: 'output' as const, port: 1 }));
    expect(() => compileActions(many)).toThrowError(
      expect.objectContaining({ code: 'E_DP_ACTIONS_TOO_LONG' }),
    );
  });
});

describe('drop reasons', () => {
  it('are one name for each number', () => {
    const numbers = Object.values(DropReason);
    expect(numbers).toEqual(DROP_REASONS.map((_, n) => n));
    expect(new Set(DROP_REASONS.map((r) => r.name)).size).toBe(numbers.length);
  });
});
