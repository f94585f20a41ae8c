/**
 * Meters of a bridge: OpenFlow's numbers, and the datapath's meters behind them.
 *
 * Not for: token buckets (src/datapath/meter-table.ts). OpenFlow 1.5, sections 5.7 and 7.3.4.5.
 */
import type { Clock } from '../common/clock.js';
import type { Dpif } from '../datapath/dpif.js';
import { METER_BANDS_MAX, METERS_MAX } from '../datapath/meter-table.js';
import { fail } from '../openflow/errors.js';
import {
  METER_FLAG,
  type MeterConfig,
  type MeterFeaturesReply,
  type MeterMod,
  type MeterStatsEntry,
  OFPM,
} from '../openflow/messages-groups.js';
import type { Rule } from './rule.js';

/** drop and dscp_remark, as bits 1 << number. */
const BAND_TYPES = (1 << 1) | (1 << 2);
const CAPABILITIES = METER_FLAG.KBPS | METER_FLAG.PKTPS | METER_FLAG.BURST | METER_FLAG.STATS;

export interface OfMeter {
  config: MeterConfig;
  /** The datapath's number. */
  readonly dpId: number;
  readonly createdMs: number;
}

/** The bridge that the meters are of, and its datapath. */
interface MeterBridge {
  readonly clock: Clock;
  readonly backer: {
    readonly dpif: Pick<Dpif, 'meterSet' | 'meterStats'>;
    takeMeterId(): number | null;
    freeMeterId(id: number): void;
  };
  /** What packets meet has changed. */
  tablesChanged(): void;
  deleteRulesWithMeter(meter: number): void;
  rulesWith(condition: (rule: Rule) => boolean): Rule[];
}

export class OfMeters {
  private readonly meters = new Map<number, OfMeter>();

  constructor(private readonly ofproto: MeterBridge) {}

  get(id: number): OfMeter | null {
    return this.meters.get(id) ?? null;
  }

  /** The meter that packets pass on their way to the main thread, when there is one. */
  get slowpath(): OfMeter | null {
    return this.get(OFPM.SLOWPATH);
  }

  /** Executes a meter-mod. @throws OfpError; nothing has changed then */
  execute({ command, meter }: MeterMod): void {
    if (command === 'delete') {
      this.delete(meter.meter);
      return;
    }
    this.check(meter);
    if (command === 'add') this.add(meter);
    else {
      const known = this.meters.get(meter.meter) ?? fail('OFPMMFC_UNKNOWN_METER');
      known.config = meter;
      this.install(known);
    }
  }

  private check({ meter, bands }: MeterConfig): void {
    const special = meter === OFPM.SLOWPATH || meter === OFPM.CONTROLLER;
    if (meter === 0 || (meter > OFPM.MAX && !special)) fail('OFPMMFC_INVALID_METER');
    if (bands.length > METER_BANDS_MAX) fail('OFPMMFC_OUT_OF_BANDS');
  }

  private add(config: MeterConfig): void {
    if (this.meters.has(config.meter)) fail('OFPMMFC_METER_EXISTS');
    const dpId = this.ofproto.backer.takeMeterId() ?? fail('OFPMMFC_OUT_OF_METERS');
    const meter = { config, dpId, createdMs: this.ofproto.clock.now() };
    this.meters.set(config.meter, meter);
    this.install(meter);
    this.ofproto.tablesChanged();
  }

  private install({ config, dpId }: OfMeter): void {
    const burst = (config.flags & METER_FLAG.BURST) !== 0;
    const bands = config.bands.map((band) => ({ ...band, burstSize: burst ? band.burstSize : 0 }));
    const packets = (config.flags & METER_FLAG.PKTPS) !== 0;
    this.ofproto.backer.dpif.meterSet(dpId, { packets, bands });
  }

  private delete(id: number): void {
    for (const [number, { dpId }] of [...this.meters]) {
      if (id !== OFPM.ALL && id !== number) continue;
      this.meters.delete(number);
      this.ofproto.deleteRulesWithMeter(number);
      this.ofproto.backer.freeMeterId(dpId);
    }
    this.ofproto.tablesChanged();
  }

  /** Takes all meters out, and the entries that use them. */
  clear(): void {
    this.delete(OFPM.ALL);
  }

  /** One meter, or all by number. @throws OfpError OFPMMFC_UNKNOWN_METER */
  select(id: number): OfMeter[] {
    if (id !== OFPM.ALL) return [this.meters.get(id) ?? fail('OFPMMFC_UNKNOWN_METER')];
    return [...this.meters.values()].sort((a, b) => a.config.meter - b.config.meter);
  }

  stats(id: number): MeterStatsEntry[] {
    const now = this.ofproto.clock.now();
    return this.select(id).map(({ config, dpId, createdMs }) => {
      const stats = this.ofproto.backer.dpif.meterStats(dpId);
      const ageMs = Math.max(0, now - createdMs);
      const { meter } = config;
      return {
        meter,
        flows: this.ofproto.rulesWith((rule) => rule.usesMeter(meter)).length,
        packets: BigInt(stats.packets),
        bytes: BigInt(stats.bytes),
        durationSec: Math.floor(ageMs / 1000),
        durationNsec: Math.floor((ageMs % 1000) * 1e6),
        bands: stats.bands.map(({ packets, bytes }) => {
          return { packets: BigInt(packets), bytes: BigInt(bytes) };
        }),
      };
    });
  }

  features(): MeterFeaturesReply {
    return {
      type: 'meter_features_reply',
      maxMeters: METERS_MAX,
      bandTypes: BAND_TYPES,
      capabilities: CAPABILITIES,
      maxBands: METER_BANDS_MAX,
      maxColor: 0,
    };
  }
}
