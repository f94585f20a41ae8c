/** Classes of the kernel's: what is asked of it, the sockets into them, and what if it can't. */
import { beforeEach, describe, expect, it } from 'vitest';
import { KernelClasses } from '../../../src/netdev/kernel-classes.js';
import type { Shaping, ShapingClass } from '../../../src/netdev/queue-settings.js';
import { decodeAttributes, decodeMessages } from '../../../src/netdev/rtnetlink-codec.js';
import {
  attribute,
  decodeClassStats,
  RTM_DELQDISC,
  RTM_DELTCLASS,
  RTM_GETTCLASS,
  RTM_NEWQDISC,
  RTM_NEWTCLASS,
  RTM_NEWTFILTER,
} from '../../../src/netdev/tc-codec.js';

interface Asked {
  type: number;
  handle: number;
  parent: number;
  kind: string;
  options: Uint8Array | undefined;
}

/** Keeps what it is asked, and refuses what it is told to. */
class FakeKernel {
  asked: Asked[] = [];
  readonly open = new Map<number, { mark: number; priority: number }>();
  refuse: (asked: Asked) => string | null = () => null;
  private nextFd = 10;

  exchange(_flags: number, encode: (seq: number) => Uint8Array) {
    const [message] = decodeMessages(encode(1));
    const { payload } = message;
    const data = new DataView(payload.buffer, payload.byteOffset);
    const attributes = decodeAttributes(payload.subarray(20));
    const kind = Buffer.from(attributes.get(1) ?? [])
      .toString()
      .replace('\0', '');
    const asked = {
      type: message.type,
      handle: data.getUint32(8, true),
      parent: data.getUint32(12, true),
      kind,
      options: attributes.get(2),
    };
    this.asked.push(asked);
    const code = this.refuse(asked);
    if (code !== null) throw Object.assign(new Error(code), { code });
    return [];
  }

  packetTxOpen({ mark = 0, priority }: { mark?: number; priority: number }): number {
    this.open.set(this.nextFd, { mark, priority });
    return this.nextFd++;
  }

  close(fd: number): void {
    expect(this.open.delete(fd)).toBe(true);
  }

  /** 'NEWTCLASS 1:8 of 1:fffe' for each request since the last call. */
  take(): string[] {
    const names = new Map([
      [RTM_NEWQDISC, 'new qdisc'],
      [RTM_DELQDISC, 'del qdisc'],
      [RTM_NEWTCLASS, 'new class'],
      [RTM_DELTCLASS, 'del class'],
      [RTM_GETTCLASS, 'get class'],
      [RTM_NEWTFILTER, 'new filter'],
    ]);
    const id = (n: number) => `${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}`;
    const lines = this.asked.map(({ type, handle, parent, kind }) =>
      `${names.get(type)} ${kind} ${id(handle)} of ${id(parent)}`.replace('  ', ' '),
    );
    this.asked = [];
    return lines;
  }
}

function classFor(queueId: number, minRate = 1000, maxRate = 2000): ShapingClass {
  return { queueId, minRate, maxRate, burst: 1564, priority: 0 };
}

function shaping(...classes: ShapingClass[]): Shaping {
  const row = { type: 'linux-htb', byKernel: true, policer: false, maxRate: 2_500_000 };
  return { ...row, burst: 1564, classes };
}

let kernel: FakeKernel;
let classes: KernelClasses;

beforeEach(() => {
  kernel = new FakeKernel();
  const device = { ifname: 'p1', ifindex: 3, sndBufBytes: 4096 };
  classes = new KernelClasses({ native: kernel, links: kernel, ...device });
});

describe('KernelClasses', () => {
  it('makes what tc would, and a socket for each worker, class and band', () => {
    const sockets = classes.open(shaping(classFor(0), classFor(7)), 2);
    expect(kernel.take()).toEqual([
      'get class 1:fffe of 0:0',
      'del qdisc 0:0 of ffff:ffff',
      'new qdisc htb 1:0 of ffff:ffff',
      'new filter bpf 0:0 of 1:0',
      'new class htb 1:fffe of 1:0',
      'new class htb 1:1 of 1:fffe',
      'new qdisc pfifo_fast 0:0 of 1:1',
      'new class htb 1:8 of 1:fffe',
      'new qdisc pfifo_fast 0:0 of 1:8',
    ]);
    expect(sockets?.fds.map((w) => w.map((c) => c.length))).toEqual([
      [3, 3],
      [3, 3],
    ]);
    const [, [, [high, normal, low]]] = sockets?.fds ?? [[], [[], []]];
    expect(kernel.open.get(high)).toEqual({ mark: 0x10008, priority: 6 });
    expect(kernel.open.get(normal)).toEqual({ mark: 0x10008, priority: 0 });
    expect(kernel.open.get(low)).toEqual({ mark: 0x10008, priority: 2 });
  });

  it('writes rates as the kernel reads them', () => {
    classes.open(shaping(classFor(0, 125_000, 5_000_000_000)), 1);
    const made = kernel.asked.find(({ handle }) => handle === 0x10001);
    const options = decodeAttributes(made?.options as Uint8Array);
    const parms = options.get(1) as Uint8Array;
    const data = new DataView(parms.buffer, parms.byteOffset, parms.byteLength);
    expect(parms.length).toBe(44);
    expect(data.getUint32(8, true)).toBe(125_000);
    // Beyond 32 bits, the rate stands beside.
    expect(data.getUint32(20, true)).toBe(0xffffffff);
    const ceil = options.get(7) as Uint8Array;
    expect(new DataView(ceil.buffer, ceil.byteOffset).getBigUint64(0, true)).toBe(5_000_000_000n);
    // What 125,000 bytes a second are in 50 ms, in ticks of 64 ns.
    expect(data.getUint32(24, true)).toBe(0.05e9 / 64);
    expect(data.getUint32(32, true)).toBe(12_500);
  });

  it('changes classes in place; their sockets stay, others wait to be closed', () => {
    const first = classes.open(shaping(classFor(0), classFor(7)), 1);
    kernel.take();
    const second = classes.open(shaping(classFor(0, 1000, 3000), classFor(9)), 1);
    expect(kernel.take()).toEqual([
      'new class htb 1:fffe of 1:0',
      'new class htb 1:1 of 1:fffe',
      'new class htb 1:a of 1:fffe',
      'new qdisc pfifo_fast 0:0 of 1:a',
      'del class 1:8 of 0:0',
    ]);
    expect(second?.fds[0][0]).toEqual(first?.fds[0][0]);
    expect(kernel.open.size).toBe(9);
    classes.closeStale();
    expect(kernel.open.size).toBe(6);
    for (const fd of first?.fds[0][1] ?? []) expect(kernel.open.has(fd)).toBe(false);
  });

  it('takes everything away when nothing is wanted any more', () => {
    classes.open(shaping(classFor(0)), 1);
    kernel.take();
    expect(classes.open(null, 1)).toBeNull();
    expect(kernel.take()).toEqual(['del qdisc 0:0 of ffff:ffff']);
    expect(kernel.open.size).toBe(3);
    classes.closeStale();
    expect(kernel.open.size).toBe(0);
    expect(classes.open(null, 1)).toBeNull();
    expect(kernel.take()).toEqual([]);
  });

  it('leaves it to the switch, and nothing behind, when the kernel has no such thing', () => {
    for (const missing of [RTM_NEWQDISC, RTM_NEWTFILTER, RTM_NEWTCLASS]) {
      kernel.refuse = ({ type, kind }) =>
        type === missing && kind !== 'pfifo_fast' ? 'ENOENT' : null;
      expect(classes.open(shaping(classFor(0)), 1)).toBeNull();
      expect(classes.active).toBe(false);
      const asked = kernel.take();
      if (missing !== RTM_NEWQDISC) expect(asked.at(-1)).toBe('del qdisc 0:0 of ffff:ffff');
      classes.closeStale();
      expect(kernel.open.size).toBe(0);
    }
    kernel.refuse = () => null;
    expect(classes.open({ ...shaping(classFor(0)), byKernel: false }, 1)).toBeNull();
    expect(classes.open({ ...shaping(classFor(0)), type: 'egress-policer' }, 1)).toBeNull();
    expect(classes.open(shaping(classFor(0)), 1)).not.toBeNull();
  });

  it('finds what a killed daemon left behind', () => {
    kernel.exchange = (flags, encode) => {
      FakeKernel.prototype.exchange.call(kernel, flags, encode);
      const message = { type: RTM_NEWTCLASS, flags: 0, seq: 1, payload: new Uint8Array(20) };
      return kernel.asked.at(-1)?.type === RTM_GETTCLASS ? ([message] as never) : [];
    };
    classes.open(null, 1);
    expect(kernel.take()).toEqual(['get class 1:fffe of 0:0', 'del qdisc 0:0 of ffff:ffff']);
    classes.open(null, 1);
    expect(kernel.take()).toEqual([]);
  });
});

describe('decodeClassStats', () => {
  it('reads counters, and is not to be led astray', () => {
    const basic = Buffer.alloc(16);
    basic.writeBigUInt64LE(2n ** 33n, 0);
    basic.writeUInt32LE(77, 8);
    const queue = Buffer.alloc(20);
    queue.writeUInt32LE(5, 8);
    const stats = Buffer.concat([attribute(1, basic), attribute(3, queue)]);
    const head = Buffer.alloc(20);
    head.writeUInt32LE(0x10008, 8);
    const payload = Buffer.concat([head, attribute(7, stats)]);
    const message = { type: RTM_NEWTCLASS, flags: 0, seq: 1, payload };
    const counted = { packets: 77, bytes: 2 ** 33, dropped: 5 };
    expect(decodeClassStats(message)).toEqual({ handle: 0x10008, ...counted });
    for (let length = 0; length < payload.length; length++) {
      const cut = { ...message, payload: payload.subarray(0, length) };
      expect(decodeClassStats(cut)?.packets ?? 77).toBe(77);
    }
    expect(decodeClassStats({ ...message, type: RTM_NEWQDISC })).toBeNull();
  });
});
