/** Meters: rates, bursts, bands and statistics. */
import { describe, expect, it } from 'vitest';
import { METER_DROP, METER_PASS, MeterTable } from '../../../src/datapath/meter-table.js';

const drop = (rate: number, burstSize: number) =>
  ({ type: 'drop', rate, burstSize, precLevel: 0 }) as const;

describe('MeterTable', () => {
  it('lets a burst pass, then the rate', () => {
    const meters = MeterTable.create(2);
    meters.set(1, { packets: true, bands: [drop(2, 3)] });
    const verdicts = Array.from({ length: 5 }, () => meters.police(1, 100, 1000));
    expect(verdicts).toEqual([0, 0, 0, METER_DROP, METER_DROP]);
    expect(meters.police(1, 100, 1499)).toBe(METER_DROP);
    expect(meters.police(1, 100, 1999)).toBe(METER_PASS);
    expect(meters.stats(1)).toEqual({
      packets: 7,
      bytes: 700,
      bands: [{ packets: 3, bytes: 300 }],
    });
  });

  it('counts bits where the rate is in kbit/s', () => {
    const meters = MeterTable.create(2);
    meters.set(0, { packets: false, bands: [drop(8, 0)] });
    expect(meters.police(0, 1000, 10)).toBe(METER_PASS);
    expect(meters.police(0, 1, 10)).toBe(METER_DROP);
    expect(meters.police(0, 500, 510)).toBe(METER_PASS);
  });

  it('does what the exceeded band with the highest rate says', () => {
    const meters = MeterTable.create(1);
    const remark = { type: 'dscp_remark', rate: 1, burstSize: 0, precLevel: 2 } as const;
    meters.set(0, { packets: true, bands: [remark, drop(3, 0)] });
    expect([1, 2, 3, 4].map(() => meters.police(0, 60, 5))).toEqual([0, 2, 2, METER_DROP]);
  });

  it('lets everything pass where there is no meter', () => {
    const meters = MeterTable.create(1);
    meters.set(0, { packets: true, bands: [drop(0, 0)] });
    expect(meters.police(0, 60, 5)).toBe(METER_DROP);
    meters.remove(0);
    expect(meters.police(0, 60, 5)).toBe(METER_PASS);
  });
});
