/**
 * An OpenFlow port of a bridge: a device, its OpenFlow number and its datapath number.
 *
 * Not for: configured ports, which may have several members (bundle.ts), or the device itself.
 */
import { fail } from '../openflow/errors.js';
import type { PortMod } from '../openflow/messages.js';
import type { Bundle } from './bundle.js';
import type { Ofproto } from './ofproto.js';
import type { PortDevice } from './settings.js';

/** OpenFlow port configuration bits (OpenFlow 1.1+, and 1.0's NO_STP, NO_RECV_STP, NO_FLOOD). */
export const OFPPC = {
  PORT_DOWN: 1 << 0,
  NO_STP: 1 << 1,
  NO_RECV: 1 << 2,
  NO_RECV_STP: 1 << 3,
  NO_FLOOD: 1 << 4,
  NO_FWD: 1 << 5,
  NO_PACKET_IN: 1 << 6,
} as const;

/** OpenFlow port state bits. */
export const OFPPS = { LINK_DOWN: 1 << 0, BLOCKED: 1 << 1, LIVE: 1 << 2 } as const;

export class OfPort {
  bundle: Bundle | null = null;
  /** OFPPC bits. */
  config = 0;
  /** OFPPS bits, as last announced to controllers. */
  state = 0;
  /** Queue numbers with the DSCP that packets leave them with. */
  queueDscp: ReadonlyMap<number, number> = new Map();

  /**
   * @param odpPort datapath port number, null for a patch port
   * @param createdMs clock time
   */
  constructor(
    readonly ofproto: Ofproto,
    readonly device: PortDevice,
    readonly ofPort: number,
    public odpPort: number | null,
    readonly createdMs: number,
  ) {
    // Live once the bridge has looked at it for the first time.
    this.state = this.currentState() & ~OFPPS.LIVE;
    if (!device.adminUp()) this.config |= OFPPC.PORT_DOWN;
  }

  get name(): string {
    return this.device.name;
  }

  get isPatch(): boolean {
    return this.device.type === 'patch';
  }

  currentState(): number {
    if (!this.device.carrier()) return OFPPS.LINK_DOWN;
    if (!this.device.adminUp()) return 0;
    const lacp = this.bundle?.lacp ?? null;
    return lacp === null || lacp.mayEnable(this.device) ? OFPPS.LIVE : 0;
  }

  /** The port at the other end of a patch cable, or null while the pair is not complete. */
  peer(): OfPort | null {
    const peerName = this.device.patchPeer;
    if (!this.isPatch || !peerName) return null;
    const peer = this.ofproto.backer.patchPort(peerName);
    return peer !== null && peer.device.patchPeer === this.name ? peer : null;
  }
}

/** The port that a port-mod is about. @throws OfpError */
export function checkedPort(ofproto: Ofproto, mod: PortMod): OfPort {
  const port = ofproto.portByNo(mod.portNo) ?? fail('OFPPMFC_BAD_PORT');
  const address = port.device.etherAddr();
  if (!mod.hwAddr.every((byte, i) => byte === address[i])) fail('OFPPMFC_BAD_HW_ADDR');
  return port;
}
