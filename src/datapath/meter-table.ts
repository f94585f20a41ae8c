/**
 * Meters: token buckets that all workers share.
 *
 *     meter   8 doubles   lock(int32) | flags | nBands | usedMs | packets | bytes | deltaMsMax | -
 *     bands   8 x 8       type | rate | burst | precLevel | bucket | packets | bytes | -
 *
 * A meter is changed under its lock, a word that a worker holds for some tens of instructions; who
 * only reads the counters takes none. Buckets count thousandths of packets, or bits.
 * Source for meanings: OpenFlow 1.5, section 5.7.1.
 */
// hot path

const METER_DOUBLES = 72;
const BAND_DOUBLES = 8;
export const METER_BANDS_MAX = 8;
export const METERS_MAX = 65_536;

const M_FLAGS = 1;
const M_BANDS = 2;
const M_USED = 3;
const M_PACKETS = 4;
const M_BYTES = 5;
const M_DELTA_MAX = 6;
const B_TYPE = 0;
const B_RATE = 1;
const B_BURST = 2;
const B_LEVEL = 3;
const B_BUCKET = 4;
const B_PACKETS = 5;
const B_BYTES = 6;

const FLAG_PKTPS = 2;
const FLAG_IN_USE = 0x100;
const TYPE_DROP = 1;
const TYPE_REMARK = 2;

/** What `police` says: let it pass, drop it, or (positive) add to its drop precedence. */
export const METER_PASS = 0;
export const METER_DROP = -1;

export interface DpMeterBand {
  type: 'drop' | 'dscp_remark';
  /** kbit/s or packets/s. */
  rate: number;
  /** kbit or packets; 0: as much as a second's worth. */
  burstSize: number;
  precLevel: number;
}

export interface DpMeterConfig {
  /** Rates are in packets/s, not kbit/s. */
  packets: boolean;
  bands: readonly DpMeterBand[];
}

export interface DpMeterStats {
  packets: number;
  bytes: number;
  bands: { packets: number; bytes: number }[];
}

/** Views over the shared meters; every thread constructs its own over the same buffer. */
export class MeterTable {
  private readonly words: Float64Array;
  private readonly locks: Int32Array;

  constructor(readonly buffer: ArrayBufferLike) {
    this.words = new Float64Array(buffer);
    this.locks = new Int32Array(buffer);
  }

  /** @param count how many there can be; memory is taken when they are used */
  static create(count = METERS_MAX): MeterTable {
    return new MeterTable(new SharedArrayBuffer(count * METER_DOUBLES * 8));
  }

  /** Makes meter `id`, or changes it; buckets are full then and counts begin anew. */
  set(id: number, config: DpMeterConfig): void {
    const { words } = this;
    const at = id * METER_DOUBLES;
    this.lock(at);
    words.fill(0, at + 1, at + METER_DOUBLES);
    words[at + M_FLAGS] = FLAG_IN_USE | (config.packets ? FLAG_PKTPS : 0);
    words[at + M_BANDS] = Math.min(config.bands.length, METER_BANDS_MAX);
    for (let i = 0; i < words[at + M_BANDS]; i++) {
      const { type, rate, burstSize, precLevel } = config.bands[i];
      const band = at + (i + 1) * BAND_DOUBLES;
      const burst = (burstSize || rate) * 1000;
      words[band + B_TYPE] = type === 'drop' ? TYPE_DROP : TYPE_REMARK;
      words[band + B_RATE] = rate;
      words[band + B_BURST] = burst;
      words[band + B_BUCKET] = burst;
      words[band + B_LEVEL] = precLevel;
      if (rate > 0) {
        const fillMs = Math.floor(burst / rate) + 1;
        words[at + M_DELTA_MAX] = Math.max(words[at + M_DELTA_MAX], fillMs);
      }
    }
    this.unlock(at);
  }

  remove(id: number): void {
    const at = id * METER_DOUBLES;
    this.lock(at);
    this.words.fill(0, at + 1, at + METER_DOUBLES);
    this.unlock(at);
  }

  stats(id: number): DpMeterStats {
    const { words } = this;
    const at = id * METER_DOUBLES;
    const bands: DpMeterStats['bands'] = [];
    for (let i = 0; i < words[at + M_BANDS]; i++) {
      const band = at + (i + 1) * BAND_DOUBLES;
      bands.push({ packets: words[band + B_PACKETS], bytes: words[band + B_BYTES] });
    }
    return { packets: words[at + M_PACKETS], bytes: words[at + M_BYTES], bands };
  }

  /**
   * Takes a packet of `bytes` out of the buckets. The band with the highest rate of those that have
   * too little decides.
   * @param nowMs a clock that all workers share, at least within a band's time to fill
   * @returns METER_PASS, METER_DROP, or the number to add to the drop precedence
   */
  police(id: number, bytes: number, nowMs: number): number {
    const { words } = this;
    const at = id * METER_DOUBLES;
    this.lock(at);
    const flags = words[at + M_FLAGS];
    if ((flags & FLAG_IN_USE) === 0) {
      this.unlock(at);
      return METER_PASS;
    }
    const used = words[at + M_USED];
    // The first packet finds full buckets; clocks of workers may differ by a batch.
    let delta = used === 0 || nowMs < used ? 0 : nowMs - used;
    if (delta > words[at + M_DELTA_MAX]) delta = words[at + M_DELTA_MAX];
    words[at + M_USED] = nowMs;
    words[at + M_PACKETS] += 1;
    words[at + M_BYTES] += bytes;
    const verdict = this.drain(at, delta, (flags & FLAG_PKTPS) !== 0 ? 1000 : bytes * 8, bytes);
    this.unlock(at);
    return verdict;
  }

  private drain(at: number, deltaMs: number, volume: number, bytes: number): number {
    const { words } = this;
    let exceeded = -1;
    for (let i = 1; i <= words[at + M_BANDS]; i++) {
      const band = at + i * BAND_DOUBLES;
      let bucket = words[band + B_BUCKET] + deltaMs * words[band + B_RATE];
      if (bucket > words[band + B_BURST]) bucket = words[band + B_BURST];
      if (bucket >= volume) bucket -= volume;
      else if (exceeded < 0 || words[band + B_RATE] > words[exceeded + B_RATE]) exceeded = band;
      words[band + B_BUCKET] = bucket;
    }
    if (exceeded < 0) return METER_PASS;
    words[exceeded + B_PACKETS] += 1;
    words[exceeded + B_BYTES] += bytes;
    return words[exceeded + B_TYPE] === TYPE_DROP ? METER_DROP : words[exceeded + B_LEVEL];
  }

  private lock(at: number): void {
    const word = at * 2;
    while (Atomics.compareExchange(this.locks, word, 0, 1) !== 0) {
      // The holder is in the middle of some tens of instructions.
    }
  }

  private unlock(at: number): void {
    Atomics.store(this.locks, at * 2, 0);
  }
}
