/** The synchronous datapath, through the Dpif interface. */
import { beforeEach, describe, expect, it } from 'vitest';
import { stoppedClock, type WarpClock } from '../../../src/common/clock.js';
import { createDpif } from '../../../src/datapath/create-dpif.js';
import type { Dpif, Upcall } from '../../../src/datapath/dpif.js';
import { extractFlow } from '../../../src/packet/extract.js';
import { newFlow } from '../../../src/packet/flow-layout.js';
import { macBytes, udp4Frame } from '../../support/frame-builder.js';

const A = macBytes('02:00:00:00:00:0a');
const B = macBytes('02:00:00:00:00:0b');
const FRAME = udp4Frame({ dst: B, src: A }, { src: 1, dst: 2 }, { src: 3, dst: 4 }, A);

/** A device in memory; `wire` leads what it sends to another. */
class Device {
  readonly type = 'dummy';
  readonly sent: Uint8Array[] = [];
  wire: Device | null = null;
  mtu = 1518;
  private receiver: ((frame: Uint8Array) => void) | null = null;
  constructor(readonly name: string) {}
  onReceive(receiver: ((frame: Uint8Array) => void) | null): void {
    this.receiver = receiver;
  }
  send(frame: Uint8Array): boolean {
    if (frame.length > this.mtu) return false;
    this.sent.push(frame);
    this.wire?.receive(frame);
    return true;
  }
  receive(frame: Uint8Array): void {
    this.receiver?.(frame);
  }
}

let clock: WarpClock;
let dpif: Dpif;
let p1: Device;
let p2: Device;
let upcalls: Upcall[];

beforeEach(() => {
  clock = stoppedClock();
  dpif = createDpif('dummy', { clock });
  p1 = new Device('p1');
  p2 = new Device('p2');
  expect(dpif.portAdd(p1, 1)).toBe(1);
  expect(dpif.portAdd(p2, 1)).toBe(2);
  upcalls = [];
  dpif.onUpcall((upcall) => upcalls.push(upcall));
});

const MASK = newFlow();
MASK.fill(-1, 0, 5);

describe('DpifDummy', () => {
  it('hands a packet that matches nothing to the upcall handler before receive returns', () => {
    p1.receive(FRAME);
    expect(upcalls.length).toBe(1);
    expect(upcalls[0].type).toBe('miss');
    expect(upcalls[0].frame.data).toEqual(FRAME);
    expect(upcalls[0].key).toEqual(extractFlow(FRAME, 1));
    expect(dpif.stats()).toMatchObject({ hit: 0, missed: 1, lost: 0, flows: 0 });
  });

  it('forwards by the flow that the handler installs, and counts it', () => {
    dpif.onUpcall(({ frame, key, worker }) => {
      const actions = [{ type: 'output' as const, port: 2 }];
      dpif.flowPut({ key, mask: MASK, actions }, worker);
      dpif.execute(frame, key, actions);
    });
    clock.advance(5000);
    p1.receive(FRAME);
    p1.receive(FRAME);
    expect(p2.sent).toEqual([FRAME, FRAME]);
    const [flow] = dpif.flows();
    expect(dpif.flowStats(flow)).toEqual({
      packets: 1,
      bytes: FRAME.length,
      usedMs: 5000,
      tcpFlags: 0,
    });
    expect(dpif.portStats(1)).toMatchObject({ rxPackets: 2, txPackets: 0 });
    expect(dpif.portStats(2)).toMatchObject({ rxPackets: 0, txPackets: 2 });
  });

  it('keeps one flow for one mask and key', () => {
    const put = { key: extractFlow(FRAME, 1), mask: MASK, actions: [] };
    const flow = dpif.flowPut(put);
    expect(dpif.flowPut({ ...put, actions: [{ type: 'output', port: 2 }] })).toBe(flow);
    expect([...dpif.flows()].length).toBe(1);
    p1.receive(FRAME);
    expect(p2.sent.length).toBe(1);
    dpif.flowModify(flow, []);
    p1.receive(FRAME);
    expect(dpif.stats().drops).toEqual({ drop_action_of_pipeline: 1 });
    dpif.flowDel(flow);
    dpif.flowDel(flow);
    p1.receive(FRAME);
    expect(upcalls.length).toBe(1);
    expect(dpif.flowStats(flow).packets).toBe(2);
    expect([...dpif.flows()]).toEqual([]);
  });

  it('uses slots again without mixing statistics', () => {
    const put = { key: extractFlow(FRAME, 1), mask: MASK, actions: [] };
    const first = dpif.flowPut(put);
    p1.receive(FRAME);
    dpif.flowDel(first);
    const second = dpif.flowPut(put);
    expect(dpif.flowStats(second).packets).toBe(0);
    p1.receive(FRAME);
    expect(dpif.flowStats(first).packets).toBe(1);
    expect(dpif.flowStats(second).packets).toBe(1);
    dpif.flowFlush();
    expect(dpif.stats().flows).toBe(0);
  });

  it('refuses flows beyond its limit', () => {
    const small = createDpif('dummy', { clock, flowLimit: 2 });
    const put = (n: number) => {
      const key = newFlow();
      key[1] = n;
      return small.flowPut({ key, mask: MASK, actions: [] });
    };
    put(1);
    const second = put(2);
    expect(() => put(3)).toThrowError(expect.objectContaining({ code: 'E_FLOW_LIMIT' }));
    small.flowDel(second);
    put(3);
  });

  it('goes through devices that are wired to each other, in order, without recursion', () => {
    const p3 = new Device('p3');
    dpif.portAdd(p3);
    p2.wire = p3;
    const flow = (inPort: number, port: number) => {
      const key = newFlow();
      key[1] = inPort;
      const mask = newFlow();
      mask[1] = -1;
      dpif.flowPut({ key, mask, actions: [{ type: 'output', port }] });
    };
    flow(1, 2);
    flow(3, 1);
    p1.receive(FRAME);
    expect(p1.sent).toEqual([FRAME]);
    // A loop is bounded by nobody but the sender: a thousand turns must not grow the stack.
    let turns = 0;
    p1.wire = p2;
    p2.wire = null;
    flow(2, 1);
    const send = p1.send.bind(p1);
    p1.send = (frame) => (++turns < 1000 ? send(frame) : true);
    p2.receive(FRAME);
    expect(turns).toBe(1000);
  });

  it('keeps the metadata of a packet that is executed', () => {
    const key = extractFlow(FRAME, 1);
    key[0] = 9;
    key[33] = 77;
    dpif.execute({ data: FRAME }, key, [{ type: 'recirc', id: 5 }]);
    expect(upcalls[0].key[0]).toBe(5);
    expect(upcalls[0].key[33]).toBe(77);
  });

  it('counts frames that a device refuses', () => {
    p2.mtu = 20;
    dpif.execute({ data: FRAME }, newFlow(), [{ type: 'output', port: 2 }]);
    expect(dpif.stats().drops).toEqual({ datapath_drop_tx_too_big: 1 });
    expect(dpif.portStats(2)).toMatchObject({ txPackets: 0, txDropped: 1 });
  });

  it('gives a port number again, with counters from zero, and forgets the device', () => {
    dpif.execute({ data: FRAME }, newFlow(), [{ type: 'output', port: 2 }]);
    dpif.portDel(2);
    dpif.execute({ data: FRAME }, newFlow(), [{ type: 'output', port: 2 }]);
    p2.receive(FRAME);
    expect(p2.sent.length).toBe(1);
    expect(upcalls).toEqual([]);
    const p4 = new Device('p4');
    expect(dpif.portAdd(p4, 2)).toBe(2);
    expect(dpif.portStats(2).txPackets).toBe(0);
    expect([...dpif.ports()].map((p) => p.name)).toEqual(['p1', 'p4']);
  });

  it('refuses a device that it cannot read', () => {
    const device = { name: 'eth0', type: 'system' };
    expect(() => dpif.portAdd(device)).toThrowError(
      expect.objectContaining({ code: 'E_DP_DEVICE' }),
    );
    expect([...dpif.ports()].length).toBe(2);
  });
});

describe('createDpif', () => {
  it('refuses types that it does not know', () => {
    expect(() => createDpif('windows', { clock })).toThrowError(
      expect.objectContaining({ code: 'E_DP_TYPE' }),
    );
  });
});
