/**
 * Type 'dummy': a device in memory, for tests. What is injected with receive() goes to the
 * datapath; what the datapath sends is counted, captured, and given to whoever listens.
 *
 *     netdev-dummy/receive ──> receive() ──> queue (100 frames) ──> onReceive handler (datapath)
 *     wire, test <── onTransmit, tx_pcap <── send() <── datapath
 *
 * Options: pcap (both directions), rxq_pcap, tx_pcap: files to append to; ifindex; pstream, stream:
 * a wire to another dummy (dummy-wires.ts).
 */
import type { Clock } from '../common/clock.js';
import { errorMessage } from '../common/errors.js';
import { getLogger } from '../common/log.js';
import { errnoName, strerror } from './device-error.js';
import type { DummyWires } from './dummy-wires.js';
import { type Netdev, NetdevBase, type NetdevFeatures, type NetdevStatistics } from './netdev.js';
import { PcapWriter } from './pcap-writer.js';

const ETH_HEADER_LEN = 14;
const VLAN_HEADER_LEN = 4;
const ETH_TYPE_VLAN_HIGH = 0x81;
const DEFAULT_MTU = 1500;
/** Frames that wait while no datapath takes them. */
const RECEIVE_QUEUE_MAX = 100;
/** Numbers of the n-th dummy's address aa:55:aa:55:NN:NN. */
const ADDRESS_PREFIX = [0xaa, 0x55, 0xaa, 0x55];

const log = getLogger('netdev_dummy');

export type DummyReceiver = (frame: Uint8Array, queueId: number) => void;

export class DummyNetdev extends NetdevBase implements Netdev {
  readonly dpifType: string;
  private address: Uint8Array;
  private mtuBytes = DEFAULT_MTU;
  private up = true;
  private linkUp = true;
  private resets = 0;
  private index = 0;
  private receiver: DummyReceiver | null = null;
  private transmitListener: ((frame: Uint8Array) => void) | null = null;
  private readonly waiting: Array<{ frame: Uint8Array; queueId: number }> = [];
  private rxqPcap: PcapWriter | null = null;
  private txPcap: PcapWriter | null = null;
  private readonly counters = { rx_packets: 0, tx_packets: 0, rx_bytes: 0, tx_bytes: 0 };

  /** @param number counts the dummies of the process: the end of the address */
  constructor(
    readonly name: string,
    readonly type: string,
    number: number,
    private readonly clock: Clock,
    private readonly wires: DummyWires,
    options: Readonly<Record<string, string>> = {},
  ) {
    super();
    this.dpifType = type === 'internal' ? 'dummy-internal' : type;
    this.address = Uint8Array.from([...ADDRESS_PREFIX, (number >> 8) & 0xff, number & 0xff]);
    this.setOptions(options);
  }

  /** Applies Interface.options. A capture that cannot be opened is warned of and left out. */
  setOptions(options: Readonly<Record<string, string>>): void {
    this.closePcaps();
    this.wires.configure(this, options);
    this.index = Math.max(0, Number.parseInt(options.ifindex ?? '0', 10) || 0);
    if (options.pcap !== undefined) {
      this.rxqPcap = this.txPcap = this.openPcap(options.pcap);
    } else {
      if (options.rxq_pcap !== undefined) this.rxqPcap = this.openPcap(options.rxq_pcap);
      if (options.tx_pcap !== undefined) this.txPcap = this.openPcap(options.tx_pcap);
    }
    this.emit('change');
  }

  /**
   * A frame arrives from outside. It waits, at most RECEIVE_QUEUE_MAX of them, until a datapath
   * listens. @returns false when it was dropped
   */
  receive(frame: Uint8Array, queueId = 0): boolean {
    this.rxqPcap?.write(frame);
    if (this.receiver) {
      this.deliver(this.receiver, frame, queueId);
      return true;
    }
    if (this.waiting.length >= RECEIVE_QUEUE_MAX) return false;
    this.waiting.push({ frame: Uint8Array.from(frame), queueId });
    return true;
  }

  /** Who takes arriving frames (the datapath); null: nobody. Gets those that waited at once. */
  onReceive(receiver: DummyReceiver | null): void {
    this.receiver = receiver;
    if (!receiver) return;
    for (const { frame, queueId } of this.waiting.splice(0)) {
      this.deliver(receiver, frame, queueId);
    }
  }

  /**
   * The datapath sends a frame out. @returns false when it is too short or longer than the MTU
   * allows; nothing is counted then
   */
  send(frame: Uint8Array): boolean {
    if (frame.length < ETH_HEADER_LEN) return false;
    const tagged = frame[12] === ETH_TYPE_VLAN_HIGH && frame[13] === 0;
    const bytesMax = this.mtuBytes + ETH_HEADER_LEN + (tagged ? VLAN_HEADER_LEN : 0);
    if (frame.length > bytesMax) return false;
    this.counters.tx_packets += 1;
    this.counters.tx_bytes += frame.length;
    this.txPcap?.write(frame);
    this.wires.transmit(this, frame);
    this.transmitListener?.(frame);
    return true;
  }

  /** Who sees each frame sent, for tests. */
  onTransmit(listener: ((frame: Uint8Array) => void) | null): void {
    this.transmitListener = listener;
  }

  /** The cable is plugged in or pulled out. */
  setCarrier(up: boolean): void {
    if (up === this.linkUp) return;
    this.linkUp = up;
    this.resets += 1;
    this.emit('change');
  }

  present(): boolean {
    return true;
  }
  ifindex(): number {
    return this.index;
  }
  etherAddr(): Uint8Array {
    return this.address;
  }
  setEtherAddr(address: Uint8Array): void {
    if (Buffer.compare(address, this.address) === 0) return;
    this.address = Uint8Array.from(address);
    this.emit('change');
  }
  mtu(): number {
    return this.mtuBytes;
  }
  setMtu(mtu: number): void {
    if (mtu === this.mtuBytes) return;
    this.mtuBytes = mtu;
    this.emit('change');
  }
  adminUp(): boolean {
    return this.up;
  }
  setAdminUp(up: boolean): void {
    if (up === this.up) return;
    this.up = up;
    this.emit('change');
  }
  carrier(): boolean {
    return this.up && this.linkUp;
  }
  carrierResets(): number {
    return this.resets;
  }
  /** As Open vSwitch's dummies: one queue that counts nothing. */
  queueIds(): readonly number[] {
    return [0];
  }
  speedMbps(): number {
    return 0;
  }
  fullDuplex(): boolean | null {
    return null;
  }
  features(): NetdevFeatures {
    return { current: 0, advertised: 0, supported: 0, peer: 0 };
  }
  status(): Record<string, string> {
    return {};
  }

  /** Only what a dummy counts: drops and errors are missing, which prints as '?'. */
  statistics(): NetdevStatistics {
    const { rx_packets, tx_packets, rx_bytes, tx_bytes } = this.counters;
    return {
      ...this.counters,
      rx_custom_packets_1: rx_packets,
      rx_custom_packets_2: rx_packets,
      rx_q0_bytes: rx_bytes,
      rx_q0_packets: rx_packets,
      tx_q0_bytes: tx_bytes,
      tx_q0_packets: tx_packets,
    };
  }

  close(): void {
    this.receiver = null;
    this.transmitListener = null;
    this.waiting.length = 0;
    this.wires.unplug(this);
    this.closePcaps();
    this.emitClosed();
  }

  private deliver(receiver: DummyReceiver, frame: Uint8Array, queueId: number): void {
    this.counters.rx_packets += 1;
    this.counters.rx_bytes += frame.length;
    receiver(frame, queueId);
  }

  private openPcap(path: string): PcapWriter | null {
    try {
      return new PcapWriter(path, () => this.clock.wallNow());
    } catch (error) {
      const reason = errnoName(error) ? strerror(errnoName(error)) : errorMessage(error);
      log.warn(`${path}: failed to open pcap file for appending (${reason})`);
      return null;
    }
  }

  private closePcaps(): void {
    this.rxqPcap?.close();
    this.txPcap?.close();
    this.rxqPcap = this.txPcap = null;
  }
}

/**
 * The datapath port number that a dummy datapath wants for `name`: the first number in it, plus 100
 * for names that begin with 'br' (p1 is 1, br0 is 100). Null when there is no usable number.
 */
export function dummyPortNumber(name: string): number | null {
  const digits = /\d+/.exec(name);
  if (!digits) return null;
  const number = Number(digits[0]) + (name.startsWith('br') ? 100 : 0);
  return number > 0 && number < 0xffff ? number : null;
}
