/**
 * One bridge with its ports, made from settings and undone again.
 *
 *     NetdevRegistry ─ devices ─┐
 *     Dpif ─ OfprotoBacker ─ Ofproto ─ BRIDGE.mgmt, controllers
 */
import type { TlsFiles } from '../../common/tls.js';
import { createDpif } from '../../datapath/index.js';
import { loadNative } from '../../native/binding.js';
import { NetdevRegistry, nextHop } from '../../netdev/index.js';
import {
  defaultBundleSettings,
  Ofproto,
  OfprotoRegistry,
  ofprotoCommands,
} from '../../ofproto/index.js';
import { OFPP } from '../../openflow/actions.js';
import type { DaemonContext, Service } from '../daemon/life.js';

export interface StandaloneSettings {
  bridge: string;
  controllers: string[];
  /** Network devices, numbered from 1 in this order. */
  ports: string[];
  /** null: made of the bridge's own address. */
  datapathId: bigint | null;
  failMode: 'standalone' | 'secure';
  /** Empty: all. */
  versions: number[];
  maxBackoffMs: number;
  inactivityProbeMs: number;
  /** Controllers are reached through the bridge's ports, whatever its tables say. */
  inBand: boolean;
  /** Keys for controllers over TLS. */
  tls: TlsFiles;
}

export class StandaloneBridge implements Service {
  readonly ready = Promise.resolve();
  private readonly netdevs: NetdevRegistry;
  private readonly registry: OfprotoRegistry;
  private readonly dpif: ReturnType<typeof createDpif>;
  private readonly removals: (() => void)[] = [];
  private ofproto: Ofproto | null = null;

  constructor(
    private readonly flags: StandaloneSettings,
    private readonly context: DaemonContext,
  ) {
    const { clock, loop } = context;
    const wake = (): void => loop.wake();
    this.netdevs = new NetdevRegistry({ clock, native: loadNative, dummy: 'off', wake });
    this.registry = new OfprotoRegistry({ clock, wake });
    this.dpif = createDpif('netdev', { name: 'netdev@ovs-netdev', clock, native: loadNative() });
  }

  /** Resolves when the bridge forwards and `mgmtPath` takes connections. */
  async open(mgmtPath: string): Promise<void> {
    const { flags } = this;
    const { clock, loop, unixctl } = this.context;
    const backer = this.registry.openBacker('netdev', this.dpif);
    const local = this.netdevs.open(flags.bridge, 'internal');
    const hwAddr = local.etherAddr();
    const datapathId = flags.datapathId ?? BigInt(`0x${Buffer.from(hwAddr).toString('hex')}`);
    const ofproto = new Ofproto(backer, { name: flags.bridge, datapathId, clock, hwAddr });
    this.ofproto = ofproto;
    ofproto.setFailMode(flags.failMode);
    ofproto.setProtocols(flags.versions);
    const add = (name: string, device: typeof local, request: number): void => {
      const ofPort = ofproto.portAdd(device, request);
      ofproto.bundleSet(name, defaultBundleSettings(name, [ofPort]));
    };
    add(flags.bridge, local, OFPP.LOCAL);
    for (const [i, name] of flags.ports.entries())
      add(name, this.netdevs.open(name, 'system'), i + 1);
    ofproto.connmgr.setTls(flags.tls);
    ofproto.connmgr.inBand.nextHop = nextHop;
    const connectionMode = flags.inBand ? 'in-band' : 'out-of-band';
    const { maxBackoffMs, inactivityProbeMs } = flags;
    ofproto.setControllers(
      flags.controllers.map((target) => {
        return { target, connectionMode, maxBackoffMs, inactivityProbeMs };
      }),
    );
    this.removals.push(loop.add(this.netdevs), loop.add(this.registry));
    for (const { name, usage, minArgs, maxArgs, run } of ofprotoCommands(this.registry)) {
      unixctl.register(name, usage, minArgs, maxArgs, (_name, args) => run(args));
    }
    await ofproto.listenMgmt(mgmtPath);
  }

  async close(): Promise<void> {
    for (const remove of this.removals.splice(0)) remove();
    this.ofproto?.close();
    await this.dpif.close();
    this.netdevs.close();
  }
}
