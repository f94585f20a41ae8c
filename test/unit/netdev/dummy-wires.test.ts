/** Dummy devices wired together by options pstream and stream. */
import { describe, expect, it } from 'vitest';
import { NEVER, stoppedClock } from '../../../src/common/clock.js';
import { DummyNetdev } from '../../../src/netdev/dummy-netdev.js';
import { NetdevRegistry } from '../../../src/netdev/registry.js';

const FRAME = new Uint8Array(60).fill(7);

function dummies(devices: NetdevRegistry, settings: Record<string, Record<string, string>>) {
  return Object.entries(settings).map(([name, options]) => {
    const netdev = devices.open(name, 'dummy', options);
    if (!(netdev instanceof DummyNetdev)) throw new Error('not a dummy');
    const got: number[] = [];
    netdev.onReceive((frame) => got.push(frame.length));
    return { netdev, got };
  });
}

function registry(wake = () => {}): NetdevRegistry {
  const native = (): never => {
    throw new Error('no addon here');
  };
  return new NetdevRegistry({ clock: stoppedClock(), native, dummy: 'none', wake });
}

describe('wired dummies', () => {
  it('carry frames both ways, in the next turn', () => {
    let wakes = 0;
    const devices = registry(() => {
      wakes += 1;
    });
    const [p1, p3, other] = dummies(devices, {
      p1: { pstream: 'punix:/run/p1.sock' },
      p3: { stream: 'unix:/run/p1.sock' },
      p9: { stream: 'unix:/run/p2.sock' },
    });
    expect(devices.nextWake()).toBe(NEVER);
    p1.netdev.send(FRAME);
    p3.netdev.send(FRAME);
    p3.netdev.send(FRAME);
    expect([p1.got, p3.got]).toEqual([[], []]);
    expect(wakes).toBeGreaterThan(0);
    expect(devices.nextWake()).toBe(0);
    devices.run(0);
    expect([p1.got, p3.got, other.got]).toEqual([[60, 60], [60], []]);
    expect(devices.nextWake()).toBe(NEVER);
    expect(p1.netdev.statistics()).toMatchObject({ rx_packets: 2, tx_packets: 1 });
  });

  it('serve several that dial the same address', () => {
    const devices = registry();
    const [hub, a, b] = dummies(devices, {
      p1: { pstream: 'ptcp:5000:127.0.0.1' },
      p2: { stream: 'tcp:127.0.0.1:5000' },
      p3: { stream: 'tcp:127.0.0.1:5000' },
    });
    hub.netdev.send(FRAME);
    a.netdev.send(FRAME);
    devices.run(0);
    expect([hub.got, a.got, b.got]).toEqual([[60], [60], [60]]);
  });

  it('tell whether they are connected', () => {
    const devices = registry();
    const [caller] = dummies(devices, { p3: { stream: 'unix:/run/p1.sock' } });
    expect(devices.dummyConnState('p3')).toBe('disconnected');
    const [listener] = dummies(devices, { p1: { pstream: 'punix:/run/p1.sock' } });
    expect(devices.dummyConnState('p3')).toBe('connected');
    expect(devices.dummyConnState('p1')).toBe('unknown');
    expect(devices.dummyConnState('absent')).toBe('unknown');
    listener.netdev.close();
    expect(devices.dummyConnState('p3')).toBe('disconnected');
    caller.netdev.setOptions({});
    expect(devices.dummyConnState('p3')).toBe('unknown');
  });

  it('bound what waits, and end a circle in each turn', () => {
    const devices = registry();
    const [p1, p2] = dummies(devices, {
      p1: { pstream: 'punix:/x' },
      p2: { stream: 'unix:/x' },
    });
    for (let i = 0; i < 150; i++) p1.netdev.send(FRAME);
    devices.run(0);
    expect(p2.got.length).toBe(100);
    // Each end sends back what it gets: one hop a turn.
    for (const { netdev } of [p1, p2]) netdev.onReceive((frame) => netdev.send(frame));
    p1.netdev.send(FRAME);
    const before = Number(p1.netdev.statistics().rx_packets);
    for (let turn = 0; turn < 10; turn++) devices.run(0);
    expect(Number(p1.netdev.statistics().rx_packets) - before).toBe(5);
  });

  it('refuse both ends in one device, and two listeners on one address', () => {
    const devices = registry();
    const [, second, both] = dummies(devices, {
      p1: { pstream: 'punix:/x' },
      p2: { pstream: 'punix:/x' },
      p3: { pstream: 'punix:/y', stream: 'unix:/x' },
    });
    const [caller] = dummies(devices, { p4: { stream: 'unix:/x' } });
    caller.netdev.send(FRAME);
    devices.run(0);
    expect([second.got, both.got]).toEqual([[], []]);
  });
});
