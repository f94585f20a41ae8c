/**
 * Type 'patch': one end of a wire between two bridges. It has no frames of its own: translation
 * goes on in the peer's bridge.
 */
import { TapswitchError } from '../common/errors.js';
import { type Netdev, NetdevBase, type NetdevFeatures, type NetdevStatistics } from './netdev.js';

/** Options of a patch port. @throws TapswitchError E_PATCH_PEER with Open vSwitch's text */
export function parsePatchPeer(name: string, options: Readonly<Record<string, string>>): string {
  const peer = options.peer;
  const hint = `ovs-vsctl set interface ${name} options:peer=OTHER`;
  if (!peer) {
    const text = `${name}: patch type requires valid 'peer' argument`;
    throw new TapswitchError('E_PATCH_PEER', text, hint);
  }
  if (Object.keys(options).length > 1) {
    const text = `${name}: patch type takes only a 'peer' argument`;
    throw new TapswitchError('E_PATCH_PEER', text, hint);
  }
  if (peer === name) {
    throw new TapswitchError('E_PATCH_PEER', `${name}: patch peer must not be self`, hint);
  }
  return peer;
}

export class PatchNetdev extends NetdevBase implements Netdev {
  readonly type = 'patch';
  readonly dpifType = 'patch';
  private peer: string;
  private readonly counters = { rx_packets: 0, tx_packets: 0, rx_bytes: 0, tx_bytes: 0 };

  constructor(
    readonly name: string,
    private address: Uint8Array,
    options: Readonly<Record<string, string>>,
  ) {
    super();
    this.peer = parsePatchPeer(name, options);
  }

  get patchPeer(): string {
    return this.peer;
  }

  setOptions(options: Readonly<Record<string, string>>): void {
    const peer = parsePatchPeer(this.name, options);
    if (peer === this.peer) return;
    this.peer = peer;
    this.emit('change');
  }

  /** Counts what translation took across: out here, in at the peer. */
  countTx(packets: number, bytes: number): void {
    this.counters.tx_packets += packets;
    this.counters.tx_bytes += bytes;
  }

  countRx(packets: number, bytes: number): void {
    this.counters.rx_packets += packets;
    this.counters.rx_bytes += bytes;
  }

  present(): boolean {
    return true;
  }
  ifindex(): number {
    return 0;
  }
  etherAddr(): Uint8Array {
    return this.address;
  }
  setEtherAddr(address: Uint8Array): void {
    this.address = Uint8Array.from(address);
    this.emit('change');
  }
  /** A wire has none. */
  mtu(): number {
    return 0;
  }
  setMtu(_mtu: number): void {}
  adminUp(): boolean {
    return true;
  }
  /** A patch port is always up; the bridge's port configuration is what closes it. */
  setAdminUp(_up: boolean): void {}
  carrier(): boolean {
    return true;
  }
  carrierResets(): number {
    return 0;
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
  statistics(): NetdevStatistics {
    return { ...this.counters };
  }
  close(): void {
    this.emitClosed();
  }
}
