/** A bridge over a fake datapath with a stopped clock, and frames to send through it. */
import { stoppedClock } from '../../../../src/common/clock.js';
import type { OfprotoBacker } from '../../../../src/ofproto/backer.js';
import { Ofproto } from '../../../../src/ofproto/ofproto.js';
import { OfprotoRegistry } from '../../../../src/ofproto/registry.js';
import {
  type BundleSettings,
  defaultBundleSettings,
  type PortDevice,
} from '../../../../src/ofproto/settings.js';
import { FakeDpif } from './fake-dpif.js';

/** A device without frames whose link a test moves. */
export class FakeDevice implements PortDevice {
  up = true;
  resets = 0;
  admin = true;
  constructor(
    readonly name: string,
    readonly type = 'dummy',
    private readonly mac = 0x02,
    readonly patchPeer: string | null = null,
  ) {}
  etherAddr(): Uint8Array {
    return Uint8Array.of(0xaa, 0x55, 0, 0, 0, this.mac);
  }
  carrier(): boolean {
    return this.up;
  }
  carrierResets(): number {
    return this.resets;
  }
  adminUp(): boolean {
    return this.admin;
  }
  setAdminUp(up: boolean): void {
    this.admin = up;
  }
  mtu(): number {
    return 1500;
  }
  setLink(up: boolean): void {
    if (up !== this.up) this.resets += 1;
    this.up = up;
  }
}

export class TestSwitch {
  readonly clock = stoppedClock(1000);
  readonly dpif = new FakeDpif(() => this.clock.now());
  readonly registry: OfprotoRegistry;
  readonly backer: OfprotoBacker;
  readonly devices = new Map<string, FakeDevice>();
  private nextMac = 1;

  /** @param live a main loop turns by itself, for tests with sockets */
  constructor(live = false) {
    const wake = (): void => {
      if (live) setImmediate(() => this.settle());
    };
    this.registry = new OfprotoRegistry({ clock: this.clock, wake });
    this.backer = this.registry.openBacker('dummy', this.dpif);
  }

  bridge(name: string): Ofproto {
    return new Ofproto(this.backer, {
      name,
      datapathId: 1n,
      clock: this.clock,
      hwAddr: Uint8Array.of(0xaa, 0x55, 0, 0, 0, 0),
    });
  }

  /** Adds a port with a bundle of its own. @returns its OpenFlow number */
  port(ofproto: Ofproto, name: string, settings: Partial<BundleSettings> = {}): number {
    const no = this.device(ofproto, name);
    ofproto.bundleSet(name, { ...defaultBundleSettings(name, [no]), ...settings });
    return no;
  }

  /** Adds a port that belongs to no bundle yet. */
  device(ofproto: Ofproto, name: string): number {
    const device = new FakeDevice(name, 'dummy', this.nextMac++);
    this.devices.set(name, device);
    return ofproto.portAdd(device);
  }

  patch(ofproto: Ofproto, name: string, peer: string): number {
    const no = ofproto.portAdd(new FakeDevice(name, 'patch', this.nextMac++, peer));
    ofproto.bundleSet(name, defaultBundleSettings(name, [no]));
    return no;
  }

  /** Lets everything that is due happen. */
  settle(): void {
    for (let i = 0; i < 4; i++) this.registry.run(this.clock.now());
  }

  /** A frame arrives; what is due happens. @returns the datapath actions as text */
  send(odpPort: number, frame: Uint8Array): string {
    const done = this.dpif.receive(odpPort, frame);
    this.settle();
    return done;
  }

  /** Begins to count translations; what it returns tells how many there were. */
  countTranslations(): () => number {
    const { udpif } = this.backer;
    const translateKey = udpif.translateKey.bind(udpif);
    let n = 0;
    udpif.translateKey = (...args) => {
      n += 1;
      return translateKey(...args);
    };
    return () => n;
  }

  advance(ms: number): void {
    this.clock.advance(ms);
    this.settle();
  }
}

export interface FrameSpec {
  dst?: string;
  src?: string;
  vlan?: number;
  pcp?: number;
  innerVlan?: number;
  type?: number;
  payload?: number[];
}

export function macBytes(text: string): number[] {
  return text.split(':').map((b) => Number.parseInt(b, 16));
}

/** An Ethernet frame of at least 60 bytes. */
export function frame(spec: FrameSpec): Uint8Array {
  const tag = (tpid: number, vid: number, pcp = 0): number[] => [
    tpid >> 8,
    tpid & 0xff,
    (pcp << 5) | (vid >> 8),
    vid & 0xff,
  ];
  const type = spec.type ?? 0x1234;
  const bytes = [
    ...macBytes(spec.dst ?? 'ff:ff:ff:ff:ff:ff'),
    ...macBytes(spec.src ?? '50:54:00:00:00:01'),
    ...(spec.vlan === undefined ? [] : tag(0x8100, spec.vlan, spec.pcp)),
    ...(spec.innerVlan === undefined ? [] : tag(0x8100, spec.innerVlan)),
    type >> 8,
    type & 0xff,
    ...(spec.payload ?? []),
  ];
  while (bytes.length < 60) bytes.push(0);
  return Uint8Array.from(bytes);
}

/** An ARP request or reply, broadcast unless `dst` says otherwise. */
export function arp(op: number, sha: string, spa: number, tpa: number, dst?: string): Uint8Array {
  const ip = (v: number): number[] => [10, 0, 0, v];
  return frame({
    dst,
    src: sha,
    type: 0x0806,
    payload: [0, 1, 8, 0, 6, 4, 0, op, ...macBytes(sha), ...ip(spa), 0, 0, 0, 0, 0, 0, ...ip(tpa)],
  });
}

/** An IPv4/UDP frame. */
export function udp(dst: string, src: string, ttl = 64, ports = [1000, 2000]): Uint8Array {
  const [sp, dp] = ports;
  return frame({
    dst,
    src,
    type: 0x0800,
    payload: [
      ...[0x45, 0, 0, 46, 0, 0, 0, 0, ttl, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
      ...[sp >> 8, sp & 255, dp >> 8, dp & 255, 0, 26, 0, 0],
    ],
  });
}
