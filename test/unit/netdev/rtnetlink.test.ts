/** LinkMonitor against a scripted kernel: what the real one does only under load. */
import { describe, expect, it } from 'vitest';
import type { FdWatcher } from '../../../src/native/binding.js';
import { type LinkChange, LinkMonitor } from '../../../src/netdev/rtnetlink.js';
import {
  decodeMessages,
  encodeLinkRequest,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
} from '../../../src/netdev/rtnetlink-codec.js';

interface FakeLink {
  ifindex: number;
  name: string;
  mtu?: number;
}

const EVENTS = 1;
const REQUESTS = 2;

/** A kernel with two sockets: 1 for events, 2 for requests. */
class FakeKernel {
  links: FakeLink[] = [];
  interruptedDumps = 0;
  dumps = 0;
  readonly closed: number[] = [];
  private readonly queues = new Map<number, Array<Uint8Array | 'overrun'>>();
  private opened = 0;
  private readable: () => void = () => {};

  event(type: number, link: FakeLink): void {
    this.queue(EVENTS, encodeLinkRequest({ type, flags: 0, seq: 0, mtu: 1500, ...link }));
  }
  overrun(): void {
    this.queues.get(EVENTS)?.push('overrun');
  }
  deliver(): void {
    this.readable();
  }

  netlinkOpen = (): number => {
    this.opened += 1;
    this.queues.set(this.opened, []);
    return this.opened;
  };
  netlinkSend = (fd: number, bytes: Uint8Array): void => {
    const [{ seq, flags, type }] = decodeMessages(bytes);
    expect([fd, type]).toEqual([REQUESTS, RTM_GETLINK]);
    expect(flags & 0x300).toBe(0x300);
    this.dumps += 1;
    const interrupted = this.interruptedDumps-- > 0 ? NLM_F_DUMP_INTR : 0;
    // An answer to an older request is still in the queue: it must not count.
    this.queue(fd, encodeLinkRequest({ type: NLMSG_DONE, flags: 0, seq: seq - 1 }));
    for (const link of this.links) {
      const request = { type: RTM_NEWLINK, flags: interrupted, seq, mtu: 1500, ...link };
      this.queue(fd, encodeLinkRequest(request));
    }
    this.queue(fd, encodeLinkRequest({ type: NLMSG_DONE, flags: interrupted, seq }));
  };
  netlinkRecv = (fd: number, buffer: Uint8Array): number => {
    const next = this.queues.get(fd)?.shift();
    if (next === undefined) return 0;
    if (next === 'overrun') throw Object.assign(new Error('overrun'), { code: 'ENOBUFS' });
    buffer.set(next);
    return next.length;
  };
  watchFd = (fd: number, onReadable: () => void): FdWatcher => {
    expect(fd).toBe(EVENTS);
    this.readable = onReadable;
    return { close: () => this.closed.push(-fd) };
  };
  close = (fd: number): void => {
    this.closed.push(fd);
  };

  private queue(fd: number, bytes: Uint8Array): void {
    this.queues.get(fd)?.push(bytes);
  }
}

function monitored(links: FakeLink[]): { kernel: FakeKernel; monitor: LinkMonitor; log: string[] } {
  const kernel = new FakeKernel();
  kernel.links = links;
  const monitor = new LinkMonitor(kernel);
  const log: string[] = [];
  monitor.onChange((change: LinkChange) => log.push(`${change.kind} ${change.link.name}`));
  return { kernel, monitor, log };
}

describe('LinkMonitor', () => {
  it('reports events, and nothing where nothing changed', () => {
    const { kernel, log } = monitored([{ ifindex: 1, name: 'lo' }]);
    kernel.event(RTM_NEWLINK, { ifindex: 1, name: 'lo' });
    kernel.event(RTM_NEWLINK, { ifindex: 2, name: 'a' });
    kernel.event(RTM_NEWLINK, { ifindex: 2, name: 'a', mtu: 9000 });
    kernel.event(RTM_DELLINK, { ifindex: 2, name: 'a' });
    kernel.event(RTM_DELLINK, { ifindex: 9, name: 'unknown' });
    kernel.deliver();
    expect(log).toEqual(['link a', 'link a', 'removed a']);
  });

  it('reports the difference after an overrun, the same name with another index too', () => {
    const { kernel, monitor, log } = monitored([
      { ifindex: 2, name: 'a' },
      { ifindex: 3, name: 'b' },
      { ifindex: 4, name: 'c' },
    ]);
    kernel.links = [
      { ifindex: 2, name: 'a' },
      { ifindex: 13, name: 'b' },
      { ifindex: 14, name: 'd' },
    ];
    kernel.overrun();
    kernel.event(RTM_NEWLINK, { ifindex: 4, name: 'c', mtu: 99 });
    kernel.deliver();
    expect(log).toEqual(['removed b', 'removed c', 'link b', 'link d']);
    expect(monitor.links().map((link) => link.name)).toEqual(['a', 'b', 'd']);
    expect(monitor.link('b')?.ifindex).toBe(13);
  });

  it('reports a rename as an end and a beginning', () => {
    const { kernel, monitor, log } = monitored([{ ifindex: 2, name: 'a' }]);
    kernel.event(RTM_NEWLINK, { ifindex: 2, name: 'z' });
    kernel.deliver();
    expect(log).toEqual(['removed a', 'link z']);
    expect(monitor.link('a')).toBeNull();
    expect(monitor.linkByIndex(2)?.name).toBe('z');
  });

  it('repeats an interrupted dump, but not for ever', () => {
    const { kernel, monitor } = monitored([{ ifindex: 2, name: 'a' }]);
    kernel.dumps = 0;
    kernel.interruptedDumps = 2;
    monitor.resynchronise();
    expect(kernel.dumps).toBe(3);
    kernel.dumps = 0;
    kernel.interruptedDumps = 1000;
    monitor.resynchronise();
    expect(kernel.dumps).toBe(4);
  });

  it('closes both sockets once, and is silent after', () => {
    const { kernel, monitor, log } = monitored([]);
    kernel.event(RTM_NEWLINK, { ifindex: 2, name: 'a' });
    monitor.close();
    monitor.close();
    kernel.deliver();
    expect(kernel.closed).toEqual([-EVENTS, EVENTS, REQUESTS]);
    expect(log).toEqual([]);
  });
});
