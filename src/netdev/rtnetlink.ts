/**
 * LinkMonitor: every network interface of the namespace the process runs in, kept up to date by the
 * kernel's events, and the few changes that a switch makes to interfaces.
 *
 *     event socket (RTMGRP_LINK) ──> apply ──> links by ifindex and name ──> listeners
 *     request socket: dump, get, set; the kernel answers within the call, so these are synchronous
 *
 * When the kernel could not queue an event (ENOBUFS), everything is dumped again and the
 * difference reported, so that listeners never miss that an interface went away.
 *
 * Not for: addresses, routes, neighbours. Not for any thread but the main one.
 */
import { getLogger } from '../common/log.js';
import type { FdWatcher, NativeBinding } from '../native/binding.js';
import { deviceError, errnoName, openError } from './device-error.js';
import {
  decodeError,
  decodeLink,
  decodeMessages,
  encodeLinkRequest,
  IFF_UP,
  type Link,
  type LinkRequest,
  type LinkStats,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
  RTMGRP_LINK,
  type RtnetlinkMessage,
} from './rtnetlink-codec.js';

/** The kernel's datagrams are at most 32 KiB; room for more. */
const RECEIVE_BUFFER_BYTES = 65536;
/** Events handled in one turn of the loop; the rest waits for the next. */
const EVENTS_PER_TURN_MAX = 256;
/** More than the socket's receive buffer can hold. */
const EVENTS_DISCARDED_MAX = 4096;
/** IFNAMSIZ - 1: the kernel has no longer names. */
const NAME_BYTES_MAX = 15;
/** Interrupted dumps are repeated, a few times. */
const DUMP_ATTEMPTS = 4;

const ERRNO_NAMES: Readonly<Record<number, string>> = {
  1: 'EPERM',
  2: 'ENOENT',
  12: 'ENOMEM',
  13: 'EACCES',
  16: 'EBUSY',
  17: 'EEXIST',
  19: 'ENODEV',
  22: 'EINVAL',
  34: 'ERANGE',
  95: 'EOPNOTSUPP',
  99: 'EADDRNOTAVAIL',
  105: 'ENOBUFS',
};

export type LinkChange =
  /** A link appeared (`previous` null) or something about it changed. */
  | { kind: 'link'; link: Link; previous: Link | null }
  /** Deleted, renamed, or moved to another namespace. */
  | { kind: 'removed'; link: Link };

type Native = Pick<
  NativeBinding,
  'netlinkOpen' | 'netlinkSend' | 'netlinkRecv' | 'watchFd' | 'close'
>;

const log = getLogger('rtnetlink');

/** Whether anything but counters changed. */
function differs(a: Link, b: Link): boolean {
  return (
    a.flags !== b.flags ||
    a.mtu !== b.mtu ||
    a.operstate !== b.operstate ||
    a.carrier !== b.carrier ||
    a.carrierChanges !== b.carrierChanges ||
    a.link !== b.link ||
    a.linkNetnsid !== b.linkNetnsid ||
    Buffer.compare(a.address, b.address) !== 0
  );
}

/** Keeps the links of one network namespace. */
export class LinkMonitor {
  private readonly byIndex = new Map<number, Link>();
  private readonly byName = new Map<string, Link>();
  private readonly listeners = new Set<(change: LinkChange) => void>();
  private readonly buffer = new Uint8Array(RECEIVE_BUFFER_BYTES);
  private readonly eventFd: number;
  private readonly requestFd: number;
  private readonly watcher: FdWatcher;
  private seq = 0;
  private closed = false;

  /** @throws the system's error when the sockets cannot be opened */
  constructor(private readonly native: Native) {
    this.eventFd = native.netlinkOpen(RTMGRP_LINK);
    try {
      this.requestFd = native.netlinkOpen(0);
    } catch (error) {
      native.close(this.eventFd);
      throw error;
    }
    this.watcher = native.watchFd(this.eventFd, () => this.receiveEvents(EVENTS_PER_TURN_MAX));
    this.resynchronise();
  }

  /** The link of that name now, or null. */
  link(name: string): Link | null {
    return this.byName.get(name) ?? null;
  }

  linkByIndex(ifindex: number): Link | null {
    return this.byIndex.get(ifindex) ?? null;
  }

  links(): Link[] {
    return [...this.byIndex.values()];
  }

  /** Calls back on every change, from the event loop or from within refresh() and the setters.
   * @returns a function that ends it */
  onChange(callback: (change: LinkChange) => void): () => void {
    this.listeners.add(callback);
    return () => this.listeners.delete(callback);
  }

  /** Calls back when a link called `name` appears (not for one that is there already). */
  onAppear(name: string, callback: (link: Link) => void): () => void {
    return this.onChange((change) => {
      if (change.kind === 'link' && change.previous === null && change.link.name === name) {
        callback(change.link);
      }
    });
  }

  /** Asks the kernel about one link now, and applies the answer. Null when there is none. */
  refresh(name: string): Link | null {
    const nameBytes = Buffer.byteLength(name);
    if (nameBytes === 0 || nameBytes > NAME_BYTES_MAX) return null;
    this.receiveEvents(EVENTS_PER_TURN_MAX);
    try {
      const answers = this.request({ type: RTM_GETLINK, flags: 0, name });
      for (const message of answers) this.apply(message);
    } catch (error) {
      if (errnoName(error) !== 'ENODEV') throw error;
      const known = this.byName.get(name);
      if (known) this.remove(known);
    }
    return this.link(name);
  }

  /** The address of a veth's other end, where that is in another namespace; else null. */
  peerAddress({ kind, link, linkNetnsid }: Link): Uint8Array | null {
    if (kind !== 'veth' || linkNetnsid === null || linkNetnsid < 0) return null;
    try {
      const target = { ifindex: link, targetNetnsid: linkNetnsid };
      const [answer] = this.request({ type: RTM_GETLINK, flags: 0, ...target });
      const peer = answer?.type === RTM_NEWLINK ? decodeLink(answer) : null;
      return peer && peer.kind === 'veth' && peer.address.length === 6 ? peer.address : null;
    } catch {
      // Gone meanwhile, or not for us to know.
      return null;
    }
  }

  /** @throws TapswitchError E_NO_DEVICE, E_NO_CAPABILITY */
  setUp(name: string, up: boolean): void {
    const flags = up ? { setFlags: IFF_UP } : { clearFlags: IFF_UP };
    this.set(name, `taking it ${up ? 'up' : 'down'}`, flags);
  }

  /** @param mtu bytes after the Ethernet header */
  setMtu(name: string, mtu: number): void {
    this.set(name, `setting MTU ${mtu}`, { mtu });
  }

  /** @param address 6 bytes */
  setAddress(name: string, address: Uint8Array): void {
    this.set(name, 'setting its MAC address', { address });
  }

  /** The kernel's counters now; null when there is no such link. */
  getStats64(name: string): LinkStats | null {
    return this.refresh(name)?.stats ?? null;
  }

  /** Reads everything anew and reports what differs. */
  resynchronise(): void {
    this.discardEvents();
    const messages = this.dump();
    const present = new Set<number>();
    for (const message of messages) {
      const link = message.type === RTM_NEWLINK ? decodeLink(message) : null;
      if (link) present.add(link.ifindex);
    }
    for (const link of this.links()) {
      if (!present.has(link.ifindex)) this.remove(link);
    }
    for (const message of messages) this.apply(message);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.listeners.clear();
    this.watcher.close();
    this.native.close(this.eventFd);
    this.native.close(this.requestFd);
  }

  /** @param deed what is tried, for the message */
  private set(name: string, deed: string, request: Partial<LinkRequest>): void {
    const link = this.link(name) ?? this.refresh(name);
    if (!link) throw openError(name, 'ENODEV');
    try {
      this.request({ type: RTM_SETLINK, flags: NLM_F_ACK, ifindex: link.ifindex, ...request });
    } catch (error) {
      throw deviceError(`${name}: ${deed} failed`, errnoName(error), error);
    }
    this.refresh(name);
  }

  private dump(): RtnetlinkMessage[] {
    for (let attempt = 1; ; attempt++) {
      const messages = this.request({ type: RTM_GETLINK, flags: NLM_F_DUMP });
      const interrupted = messages.some((message) => message.flags & NLM_F_DUMP_INTR);
      if (!interrupted || attempt === DUMP_ATTEMPTS) return messages;
    }
  }

  private request(request: Omit<LinkRequest, 'seq'>): RtnetlinkMessage[] {
    return this.exchange(request.flags, (seq) => encodeLinkRequest({ ...request, seq }));
  }

  /**
   * Sends one request, of any family of messages, and gathers its answers.
   * @param flags those of the request
   * @throws Error with code ('ENODEV')
   */
  exchange(flags: number, encode: (seq: number) => Uint8Array): RtnetlinkMessage[] {
    // Leftovers of an answer that was given up must not be taken for this one's.
    this.seq = (this.seq + 1) >>> 0;
    const isDump = (flags & NLM_F_DUMP) === NLM_F_DUMP;
    this.native.netlinkSend(this.requestFd, encode(this.seq));
    const answers: RtnetlinkMessage[] = [];
    for (;;) {
      const length = this.native.netlinkRecv(this.requestFd, this.buffer);
      if (length === 0) return answers;
      // A copy: the messages outlive the buffer's next use.
      for (const message of decodeMessages(this.buffer.slice(0, length))) {
        if (message.seq !== this.seq) continue;
        if (message.type === NLMSG_DONE) return answers;
        if (message.type === NLMSG_ERROR) {
          const errno = decodeError(message);
          if (errno === 0) return answers;
          const code = ERRNO_NAMES[errno] ?? `errno ${errno}`;
          throw Object.assign(new Error(`rtnetlink: ${code}`), { code, errno: -errno });
        }
        answers.push(message);
        if (!isDump) return answers;
      }
    }
  }

  private receiveEvents(datagramsMax: number): void {
    for (let i = 0; i < datagramsMax && !this.closed; i++) {
      let length: number;
      try {
        length = this.native.netlinkRecv(this.eventFd, this.buffer);
      } catch (error) {
        if (errnoName(error) !== 'ENOBUFS') throw error;
        log.dbg('events were lost: reading all links again');
        this.resynchronise();
        return;
      }
      if (length === 0) return;
      for (const message of decodeMessages(this.buffer.slice(0, length))) this.apply(message);
    }
  }

  /** Events queued before a dump are older than it. */
  private discardEvents(): void {
    for (let i = 0; i < EVENTS_DISCARDED_MAX; i++) {
      try {
        if (this.native.netlinkRecv(this.eventFd, this.buffer) === 0) return;
      } catch (error) {
        if (errnoName(error) !== 'ENOBUFS') throw error;
      }
    }
  }

  private apply(message: RtnetlinkMessage): void {
    if (message.type !== RTM_NEWLINK && message.type !== RTM_DELLINK) return;
    const link = decodeLink(message);
    if (!link) return;
    let previous = this.byIndex.get(link.ifindex) ?? null;
    if (message.type === RTM_DELLINK) {
      if (previous) this.remove(previous);
      return;
    }
    // Renamed: gone under its old name, new under the other.
    if (previous && previous.name !== link.name) {
      this.remove(previous);
      previous = null;
    }
    // Made again under the same name, its deletion unseen.
    const namesake = this.byName.get(link.name);
    if (namesake && namesake.ifindex !== link.ifindex) this.remove(namesake);
    this.byIndex.set(link.ifindex, link);
    this.byName.set(link.name, link);
    if (!previous || differs(link, previous)) this.emit({ kind: 'link', link, previous });
  }

  private remove(link: Link): void {
    this.byIndex.delete(link.ifindex);
    this.byName.delete(link.name);
    this.emit({ kind: 'removed', link });
  }

  private emit(change: LinkChange): void {
    for (const listener of [...this.listeners]) listener(change);
  }
}
