/** LinkMonitor and real devices against the kernel: events, changes, loss and return. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stoppedClock } from '../../src/common/clock.js';
import { loadNative } from '../../src/native/binding.js';
import { hasQueues, type NetdevEvent } from '../../src/netdev/netdev.js';
import { NetdevRegistry } from '../../src/netdev/registry.js';
import { type LinkChange, LinkMonitor } from '../../src/netdev/rtnetlink.js';
import { ethernet, sh, TestNamespace, TestWorker, until } from './netdev-helpers.js';

const native = loadNative();
let namespace: TestNamespace;

beforeAll(() => {
  namespace = new TestNamespace(`tsnd-lnk-${process.pid}`);
});

afterAll(() => {
  namespace.leave();
});

function deleteLinks(...names: string[]): void {
  for (const name of names) {
    try {
      sh(`ip link del ${name}`);
    } catch {
      // Deleted by the test, or with its peer.
    }
  }
}

describe('LinkMonitor', () => {
  let monitor: LinkMonitor;
  let changes: LinkChange[];

  beforeEach(() => {
    monitor = new LinkMonitor(native);
    changes = [];
    monitor.onChange((change) => changes.push(change));
  });

  afterEach(() => {
    monitor.close();
    deleteLinks('va', 'renamed');
  });

  it('knows what exists at the start', () => {
    expect(monitor.link('lo')).toMatchObject({ ifindex: 1, hwType: 772 });
    expect(monitor.link('va')).toBeNull();
  });

  it('follows a veth from its making to its end', async () => {
    const appeared: string[] = [];
    monitor.onAppear('va', (link) => appeared.push(link.name));
    sh('ip link add va mtu 1400 address 02:00:00:00:00:77 type veth peer name vb');
    await until(() => monitor.link('va') !== null && monitor.link('vb') !== null, 'both ends');
    expect(monitor.link('va')).toMatchObject({
      kind: 'veth',
      mtu: 1400,
      link: monitor.link('vb')?.ifindex,
      address: Uint8Array.from([2, 0, 0, 0, 0, 0x77]),
    });
    sh('ip link set va up');
    sh('ip link set vb up');
    await until(() => ((monitor.link('va')?.flags ?? 0) & 0x41) === 0x41, 'up and running');
    sh('ip link set vb down');
    await until(() => ((monitor.link('va')?.flags ?? 0) & 0x41) === 0x01, 'up, not running');
    expect(monitor.link('va')?.carrier).toBe(false);
    sh('ip link set va down');
    sh('ip link set va name renamed');
    await until(() => monitor.link('renamed') !== null, 'the new name');
    expect(monitor.link('va')).toBeNull();
    sh('ip link del renamed');
    await until(() => monitor.link('renamed') === null, 'its end');
    expect(appeared).toEqual(['va']);
    expect(changes.filter((change) => change.kind === 'removed').map((c) => c.link.name)).toEqual(
      expect.arrayContaining(['va', 'vb', 'renamed']),
    );
  });

  it('sees an interface that moves to another namespace go', async () => {
    const other = `${namespace.name}-o`;
    sh(`ip netns add ${other}`);
    try {
      sh('ip link add va type veth peer name vb');
      await until(() => monitor.link('vb') !== null, 'the interface');
      sh(`ip link set vb netns ${other}`);
      await until(() => monitor.link('vb') === null, 'its move');
      expect(monitor.refresh('va')?.linkNetnsid).not.toBeNull();
    } finally {
      sh(`ip netns del ${other}`);
    }
  });

  it('changes state, MTU and address, and tells what was refused', () => {
    sh('ip link add va type veth peer name vb');
    monitor.setUp('va', true);
    expect((monitor.link('va')?.flags ?? 0) & 1).toBe(1);
    monitor.setMtu('va', 9000);
    expect(monitor.link('va')?.mtu).toBe(9000);
    monitor.setAddress('va', Uint8Array.from([2, 9, 9, 9, 9, 9]));
    expect(monitor.link('va')?.address).toEqual(Uint8Array.from([2, 9, 9, 9, 9, 9]));
    monitor.setUp('va', false);
    expect((monitor.link('va')?.flags ?? 0) & 1).toBe(0);
    expect(sh('ip link show va')).toMatch(/mtu 9000.*state DOWN/);
    expect(() => monitor.setMtu('va', 1 << 20)).toThrow(/Invalid argument/);
    expect(() => monitor.setUp('absent', true)).toThrow(
      'could not open network device absent (No such device)',
    );
    expect(monitor.refresh('a-name-much-too-long-for-linux')).toBeNull();
  });

  it('reads everything again after events were lost', () => {
    let overruns = 0;
    const lossy = new LinkMonitor({
      ...native,
      netlinkRecv: (fd, buffer) => {
        if (overruns === 1) {
          overruns = 2;
          throw Object.assign(new Error('overrun'), { code: 'ENOBUFS' });
        }
        return native.netlinkRecv(fd, buffer);
      },
    });
    try {
      sh('ip link add va type veth peer name vb');
      lossy.refresh('va');
      const lost: string[] = [];
      lossy.onChange((change) => lost.push(`${change.kind} ${change.link.name}`));
      sh('ip link del va');
      sh('ip link add vc type veth peer name vd');
      overruns = 1;
      lossy.refresh('lo');
      expect(lost).toEqual(
        expect.arrayContaining(['removed va', 'removed vb', 'link vc', 'link vd']),
      );
      expect(lossy.link('va')).toBeNull();
    } finally {
      lossy.close();
      deleteLinks('vc');
    }
  });

  it('survives more events than its socket holds', async () => {
    sh('ip link add va type veth peer name vb');
    for (let i = 0; i < 800; i++) monitor.setMtu('va', 1000 + i);
    await until(() => monitor.link('va')?.mtu === 1799, 'the last change');
  });
});

describe('real devices', () => {
  let registry: NetdevRegistry;

  beforeEach(() => {
    registry = new NetdevRegistry({ clock: stoppedClock(), native: () => native });
  });

  afterEach(() => {
    registry.close();
    deleteLinks('va');
  });

  it('tells state, counters and driver of a veth', async () => {
    sh('ip link add va type veth peer name vb');
    const netdev = registry.open('va', '');
    expect(netdev.type).toBe('system');
    expect(netdev.adminUp()).toBe(false);
    expect(netdev.carrier()).toBe(false);
    const seq = netdev.changeSeq();
    sh('ip link set va up');
    sh('ip link set vb up');
    await until(() => netdev.carrier(), 'carrier');
    expect(netdev.changeSeq()).toBeGreaterThan(seq);
    expect(netdev.carrierResets()).toBe(1);
    sh('ip link set vb down');
    await until(() => !netdev.carrier(), 'no carrier');
    expect(netdev.adminUp()).toBe(true);
    expect(netdev.carrierResets()).toBe(2);
    expect(netdev.mtu()).toBe(1500);
    expect(netdev.speedMbps()).toBe(10000);
    expect(netdev.fullDuplex()).toBe(true);
    expect(netdev.features().current).toBe((1 << 6) | (1 << 11));
    expect(netdev.status()).toEqual({
      driver_name: 'veth',
      driver_version: '1.0',
      firmware_version: '',
    });
    expect(netdev.statistics()).toMatchObject({ rx_packets: 0, rx_crc_err: 0, collisions: 0 });
  });

  it('opens queues, and gives the interface back to the host on close', async () => {
    sh('ip link add va type veth peer name vb');
    sh('ip link set va up');
    sh('ip link set vb up');
    const netdev = registry.open('va', 'system');
    if (!hasQueues(netdev)) throw new Error('a system device has queues');
    const [queue] = netdev.openQueues(1);
    expect(queue).toMatchObject({
      kind: 'packet',
      ifindex: netdev.ifindex(),
      ringBytes: 2 << 20,
      slots: 1024,
      slotBytes: 2048,
      reserve: 64,
    });
    expect(netdev.openQueues(1)).toEqual([queue]);
    expect(sh('ip -d link show va')).toMatch(/promiscuity 1/);
    netdev.close();
    expect(registry.get('va')).toBeNull();
    // A worker may still be sending.
    const worker = new TestWorker();
    expect(worker.send(queue.fd, ethernet(60))).toBe(1);
    netdev.closeQueues();
    netdev.closeQueues();
    // Beside the main thread: EBADF.
    await until(() => worker.send(queue.fd, ethernet(60)) === -9, 'the socket to be closed');
    worker.io.close();
    await until(() => sh('ip -d link show va').includes('promiscuity 0'), 'all to be gone');
  });

  it('notices that an interface is gone, and can take it up again', async () => {
    sh('ip link add va type veth peer name vb');
    const netdev = registry.open('va', 'system');
    if (!hasQueues(netdev)) throw new Error('a system device has queues');
    netdev.openQueues(1);
    const events: NetdevEvent[] = [];
    netdev.onEvent((event) => events.push(event));
    sh('ip link del va');
    await until(() => !netdev.present(), 'gone');
    expect(events).toContain('gone');
    expect(netdev.adminUp()).toBe(false);
    expect(netdev.statistics()).toEqual({});
    netdev.close();
    expect(() => registry.open('va', 'system')).toThrow(
      'could not open network device va (No such device)',
    );
    const back = new Promise<void>((resolve) => {
      registry.links().onAppear('va', () => resolve());
    });
    sh('ip link add va type veth peer name vb');
    await back;
    expect(registry.open('va', 'system').present()).toBe(true);
  });

  it('makes a TAP for an internal port, which leaves with it', () => {
    const netdev = registry.open('br1', 'internal');
    expect(netdev.dpifType).toBe('tap');
    expect(netdev.adminUp()).toBe(false);
    netdev.setEtherAddr(Uint8Array.from([2, 0, 0, 0, 0, 0x42]));
    netdev.setMtu(9000);
    netdev.setAdminUp(true);
    expect(netdev.carrier()).toBe(true);
    expect(netdev.mtu()).toBe(9000);
    expect(sh('ip link show br1')).toMatch(/mtu 9000.*\n.*02:00:00:00:00:42/);
    if (!hasQueues(netdev)) throw new Error('a TAP has queues');
    expect(netdev.openQueues(3).map((queue) => queue.kind)).toEqual(['tap', 'tap', 'tap']);
    expect(netdev.openQueues(2).length).toBe(2);
    expect(netdev.speedMbps()).toBeGreaterThan(0);
    expect(netdev.status().driver_name).toBe('tun');
    netdev.close();
    expect(sh('ip link show br1')).toMatch(/br1/);
    netdev.closeQueues();
    expect(() => sh('ip link show br1')).toThrow(/does not exist/);
  });

  it('makes a TAP anew while a worker still holds the old one', () => {
    const old = registry.open('br1', 'internal');
    if (!hasQueues(old)) throw new Error('a TAP has queues');
    old.openQueues(2);
    old.close();
    const netdev = registry.open('br1', 'internal');
    expect(netdev.ifindex()).toBe(old.ifindex());
    old.closeQueues();
    expect(sh('ip link show br1')).toMatch(/br1/);
    netdev.close();
    expect(() => sh('ip link show br1')).toThrow(/does not exist/);
  });

  it('counts a TAP from the side of the switch', () => {
    const netdev = registry.open('br1', 'internal');
    if (!hasQueues(netdev)) throw new Error('a TAP has queues');
    netdev.setAdminUp(true);
    sh('ip addr add 10.7.0.1/24 dev br1');
    expect(() => sh('ping -c 1 -W 1 10.7.0.9')).toThrow();
    const worker = new TestWorker();
    const [{ fd }] = netdev.openQueues(1);
    const requests = worker.io.tapRead(fd, 1 << 20, 8 << 20, 128, 64, 0);
    expect(requests).toBeGreaterThan(0);
    worker.stage(ethernet(60));
    expect(worker.io.tapWrite(fd, 0, 1)).toBe(1);
    expect(netdev.statistics()).toMatchObject({
      rx_packets: requests,
      tx_packets: 1,
      tx_bytes: 60,
    });
    worker.io.close();
  });

  it('refuses what cannot be a port', () => {
    expect(() => registry.open('lo', '')).toThrow('(Invalid argument)');
    expect(() => registry.open('', '')).toThrow('(Invalid argument)');
    expect(() => registry.open('x', 'gre')).toThrow('(Address family not supported by protocol)');
    sh('ip link add va type veth peer name vb');
    expect(() => registry.open('va', 'internal')).toThrow('(File exists)');
    registry.open('va', 'system');
    expect(() => registry.open('va', 'system')).toThrow('(File exists)');
  });
});
