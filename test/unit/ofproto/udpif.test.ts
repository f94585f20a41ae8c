/** Upcalls and installed flows: duplicates, limits, ports that went, revalidation in turns. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { extractFlow } from '../../../src/packet/extract.js';
import { frame, TestSwitch } from './support/bridge.js';

const H1 = '50:54:00:00:00:01';
const H2 = '50:54:00:00:00:02';
const host = (i: number): string =>
  `52:54:00:00:${(i >> 8).toString(16)}:${(i & 255).toString(16)}`;

describe('installed flows', () => {
  let sw: TestSwitch;
  let br: Ofproto;

  beforeEach(() => {
    sw = new TestSwitch();
    br = sw.bridge('br0');
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    sw.settle();
  });

  function miss(port: number, data: Uint8Array): void {
    const key = extractFlow(data, port);
    sw.backer.udpif.upcall({ type: 'miss', frame: { data }, key, worker: 0 });
  }

  it('are installed once for packets that were on their way together', () => {
    for (let i = 0; i < 5; i++) miss(1, frame({ src: H1, dst: H2 }));
    sw.settle();
    for (let i = 0; i < 5; i++) miss(1, frame({ src: H1, dst: H2 }));
    expect(sw.dpif.installed.size).toBe(1);
    expect(sw.dpif.executed.length).toBe(10);
    expect(br.noPacketInRule.packets).toBe(0);
    expect([...br.tables[0].cls.rules()][0].packets).toBe(10);
  });

  it('stay within the limit, and packets beyond are forwarded all the same', () => {
    sw.registry.setUdpifSettings({ ...sw.backer.settings, flowLimit: 3 });
    for (let i = 0; i < 9; i++) expect(sw.send(1, frame({ src: host(i), dst: H2 }))).toBe('2,3');
    expect(sw.dpif.installed.size).toBe(3);
  });

  it('go with their port', () => {
    sw.send(1, frame({ src: H1, dst: H2 }));
    sw.send(2, frame({ src: H2, dst: H1 }));
    br.bundleSet('p1', null);
    br.portDel(1);
    sw.settle();
    const ports = [...sw.dpif.installed].map((flow) => flow.key[1]);
    expect(ports).toEqual([2]);
    sw.dpif.take();
    miss(1, frame({ src: H1, dst: H2 }));
    expect(sw.dpif.take()).toEqual([]);
  });

  it('are looked at a bounded number a turn, until all are right', () => {
    br.setMacTableConfig(300, 10_000);
    for (let i = 0; i < 5000; i++) sw.dpif.receive(1, frame({ src: host(i), dst: H2 }));
    expect(sw.dpif.installed.size).toBe(5000);
    sw.settle();
    sw.dpif.receive(2, frame({ src: H2, dst: H1 }));
    const wrong = (): number =>
      [...sw.dpif.installed].filter((flow) => flow.actions.length === 2 && flow.key[1] === 1)
        .length;
    expect(wrong()).toBe(5000);
    sw.registry.run(sw.clock.now());
    expect(wrong()).toBe(3000);
    expect(sw.registry.nextWake()).toBeLessThanOrEqual(sw.clock.now());
    sw.settle();
    expect(wrong()).toBe(0);
  });

  it('stay as they are when an address is learned that none of them looked up', () => {
    br.setMacTableConfig(300, 10_000);
    for (let i = 0; i < 100; i++) sw.dpif.receive(1, frame({ src: host(i), dst: H2 }));
    sw.settle();
    const translated = sw.countTranslations();
    sw.dpif.receive(3, frame({ src: H1, dst: host(7) }));
    expect(sw.backer.revalidationPending).toBe(false);
    sw.dpif.receive(2, frame({ src: H2, dst: host(7) }));
    expect(sw.backer.revalidationPending).toBe(true);
    sw.settle();
    // Both packets, and the hundred flows to H2.
    expect(translated()).toBe(2 + 100);
  });

  /** Installs flows, and lets one pass over them take that long. */
  function slowPass(flows: number, ms: number): void {
    br.setMacTableConfig(300, 10_000);
    for (let i = 0; i < flows; i++) sw.dpif.receive(1, frame({ src: host(i), dst: H2 }));
    sw.settle();
    br.markRevalidate();
    sw.registry.run(sw.clock.now());
    sw.advance(ms);
  }

  it('are fewer where looking at them takes long, and more again where it does not', () => {
    slowPass(2500, 4000);
    expect(sw.backer.revalidator.dumpDurationMs).toBe(4000);
    expect(sw.backer.udpif.flowLimit).toBe(50_000);
    for (let i = 0; i < 200 && sw.backer.udpif.flowLimit < 200_000; i++) sw.advance(10_000);
    expect(sw.backer.udpif.flowLimit).toBe(200_000);
  });

  it('go while passes are slow, when they have few packets, and are not translated again', () => {
    slowPass(2500, 300);
    expect(sw.backer.revalidator.dumpDurationMs).toBe(300);
    const [rare, busy] = [...sw.dpif.installed];
    rare.stats = { packets: 1, bytes: 60, usedMs: sw.clock.now(), tcpFlags: 0 };
    busy.stats = { packets: 3000, bytes: 180_000, usedMs: sw.clock.now(), tcpFlags: 0 };
    br.markRevalidate();
    sw.settle();
    expect(sw.dpif.installed.has(rare)).toBe(false);
    expect(sw.dpif.installed.has(busy)).toBe(true);
    // Others have had no packet yet since they were installed.
    expect(sw.dpif.installed.size).toBe(2499);
  });

  it('settle for whoever waits, also while revalidation is paused', async () => {
    sw.send(1, frame({ src: H1, dst: H2 }));
    br.markRevalidate();
    let settled = false;
    const waiting = sw.backer.barrier().then(() => {
      settled = true;
    });
    await Promise.resolve();
    expect(settled).toBe(false);
    sw.settle();
    await waiting;
    br.markRevalidate();
    const paused = sw.backer.barrier();
    sw.backer.revalidator.setPaused(true);
    await paused;
    await sw.backer.barrier();
  });

  it('count what memory/show tells', () => {
    sw.send(1, frame({ src: H1, dst: H2 }));
    expect(Object.fromEntries(sw.registry.memoryUsage())).toEqual({
      ofconns: 0,
      ports: 3,
      rules: 1,
      'udpif keys': 1,
    });
  });
});
