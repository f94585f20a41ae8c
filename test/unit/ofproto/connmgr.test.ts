/** OpenFlow service of a bridge over its control socket, as a client sees it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import { NO_FLAGS } from '../../../src/ofproto/rule.js';
import { OFPP, type OfAction } from '../../../src/openflow/actions.js';
import { matchAny } from '../../../src/openflow/match.js';
import type {
  FlowMod,
  FlowStatsRequest,
  OfMessage,
  PacketIn,
} from '../../../src/openflow/messages.js';
import type { FlowStatsReply } from '../../../src/openflow/messages-stats.js';
import { matchProtocol } from '../../../src/openflow/syntax/match-parse.js';
import { OfConnection } from '../../../src/openflow/vconn.js';
import { W_IN_PORT } from '../../../src/packet/flow-layout.js';
import { frame, TestSwitch, udp } from './support/bridge.js';

const H1 = '50:54:00:00:00:01';
const H2 = '50:54:00:00:00:02';

function inPort(port: number) {
  const match = matchAny();
  match.flow[W_IN_PORT] = port;
  match.mask[W_IN_PORT] = -1;
  return match;
}

function flowMod(fields: Partial<FlowMod>): FlowMod {
  return {
    type: 'flow_mod',
    command: 'add',
    table: 0,
    match: matchAny(),
    priority: 32768,
    cookie: 0n,
    cookieMask: 0n,
    newCookie: 0n,
    idleTimeout: 0,
    hardTimeout: 0,
    importance: 0,
    bufferId: 0xffffffff,
    outPort: OFPP.NONE,
    outGroup: 0xffffffff,
    flags: NO_FLAGS,
    actions: [],
    ...fields,
  };
}

const output = (port: number): OfAction => ({ type: 'output', port, maxLen: 0 });

const allFlows: FlowStatsRequest = {
  type: 'flow_stats_request',
  aggregate: false,
  table: 255,
  match: matchAny(),
  outPort: OFPP.NONE,
  outGroup: 0xffffffff,
  cookie: 0n,
  cookieMask: 0n,
};

describe('OpenFlow service', () => {
  let dir: string;
  let sw: TestSwitch;
  let br: Ofproto;
  let client: OfConnection;
  let events: OfMessage[];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'tapswitch-of-'));
    sw = new TestSwitch(true);
    br = sw.bridge('br0');
    for (const name of ['p1', 'p2', 'p3']) sw.port(br, name);
    await br.listenMgmt(join(dir, 'br0.mgmt'));
    events = [];
    client = await open([1]);
  });

  afterEach(() => {
    client.close();
    sw.backer.close();
    rmSync(dir, { recursive: true });
  });

  async function open(versions: number[]): Promise<OfConnection> {
    const socket = connect(join(dir, 'br0.mgmt'));
    const connection = new OfConnection(socket, {
      versions,
      onMessage: (msg) => events.push(msg),
    });
    await connection.whenOpen();
    return connection;
  }

  async function flows(): Promise<FlowStatsReply['entries']> {
    const parts = (await client.request(allFlows)) as FlowStatsReply[];
    return parts.flatMap((part) => part.entries);
  }

  async function barrier(): Promise<void> {
    await client.request({ type: 'barrier_request' });
  }

  it('describes the switch and its ports', async () => {
    const [reply] = await client.request({ type: 'features_request' });
    expect(reply).toMatchObject({
      type: 'features_reply',
      datapathId: 1n,
      nTables: 254,
      nBuffers: 0,
      capabilities: 0xc7,
    });
    const ports = reply.type === 'features_reply' ? reply.ports : [];
    expect(ports.map((p) => [p.portNo, p.name])).toEqual([
      [1, 'p1'],
      [2, 'p2'],
      [3, 'p3'],
    ]);
  });

  it('shows the default entry, and none after it was deleted', async () => {
    expect((await flows()).map((f) => [f.priority, f.actions])).toEqual([
      [0, [{ type: 'output', port: OFPP.NORMAL, maxLen: 0 }]],
    ]);
    client.send(flowMod({ command: 'delete', table: 255 }));
    await barrier();
    expect(await flows()).toEqual([]);
    expect(sw.send(1, frame({ src: H1 }))).toBe('drop');
  });

  it('has a change in force for the next packet when the barrier is answered', async () => {
    expect(sw.send(1, frame({ src: H1, dst: H2 }))).toBe('2,3');
    client.send(flowMod({ match: inPort(1), actions: [output(3)] }));
    await barrier();
    expect(sw.dpif.receive(1, frame({ src: H1, dst: H2 }))).toBe('3');
  });

  it('counts to the packet what the datapath forwarded', async () => {
    client.send(flowMod({ command: 'delete', table: 255 }));
    client.send(flowMod({ match: inPort(1), actions: [output(2)] }));
    await barrier();
    for (let i = 0; i < 7; i++) sw.dpif.receive(1, frame({ src: H1 }));
    const [entry] = await flows();
    expect([entry.packets, entry.bytes]).toEqual([7n, 420n]);
    sw.dpif.receive(1, frame({ src: H1 }));
    sw.backer.udpif.removeAll();
    expect((await flows())[0].packets).toBe(8n);
  });

  it('changes, and deletes by port, cookie and priority', async () => {
    client.send(flowMod({ match: inPort(1), cookie: 5n, newCookie: 5n, actions: [output(2)] }));
    client.send(flowMod({ match: inPort(2), priority: 7, actions: [output(3)] }));
    client.send(flowMod({ command: 'modify', match: inPort(1), actions: [output(3)] }));
    await barrier();
    expect((await flows()).map((f) => f.priority).sort()).toEqual([0, 32768, 7]);
    client.send(flowMod({ command: 'delete_strict', match: inPort(2), priority: 8 }));
    client.send(flowMod({ command: 'delete', table: 255, outPort: 3 }));
    await barrier();
    expect((await flows()).map((f) => f.priority)).toEqual([0]);
  });

  it('refuses what it cannot do, by the right name', async () => {
    const refused = async (mod: FlowMod): Promise<string> =>
      (await client.transactNoReply([mod]))?.error.error ?? 'accepted';
    const group: OfAction = { type: 'group', group: 1 };
    client.close();
    client = await open([4]);
    expect(await refused(flowMod({ actions: [group] }))).toBe('OFPBAC_BAD_OUT_GROUP');
    const goto: OfAction = { type: 'goto_table', table: 0 };
    expect(await refused(flowMod({ actions: [goto] }))).toBe('OFPBIC_BAD_TABLE_ID');
    const match = matchAny();
    match.flow[W_IN_PORT] = 1;
    match.mask[W_IN_PORT] = -1;
    const overlap = flowMod({ match, priority: 0, flags: { ...NO_FLAGS, checkOverlap: true } });
    expect(await refused(overlap)).toBe('OFPFMFC_OVERLAP');
    expect((await flows()).length).toBe(1);
  });

  it('times entries out by use, and says that they went', async () => {
    client.send({ type: 'set_config', fragHandling: 0, missSendLen: 128 });
    const flags = { ...NO_FLAGS, sendFlowRem: true };
    client.send(
      flowMod({ match: inPort(1), idleTimeout: 10, flags, actions: [output(2)], newCookie: 9n }),
    );
    await barrier();
    for (let i = 0; i < 6; i++) {
      sw.advance(5000);
      sw.dpif.receive(1, frame({ src: H1 }));
    }
    expect((await flows()).length).toBe(2);
    sw.advance(9_900);
    sw.advance(200);
    expect((await flows()).length).toBe(1);
    await client.request({ type: 'barrier_request' });
    expect(events).toMatchObject([{ type: 'flow_removed', reason: 0, packets: 6n, cookie: 9n }]);
  });

  it('executes packet-outs through tables and actions', async () => {
    const data = frame({ src: H1, dst: H2 });
    const out = { type: 'packet_out', bufferId: 0xffffffff, inPort: OFPP.NONE, data } as const;
    client.send({ ...out, actions: [output(2)] });
    await client.request({ type: 'barrier_request' });
    expect(sw.dpif.take()).toEqual(['2']);
    client.send({ ...out, inPort: 1, actions: [output(OFPP.TABLE)] });
    await client.request({ type: 'barrier_request' });
    expect(sw.dpif.take()).toEqual(['2,3']);
  });

  it('sends packets to whoever asked for them, with the reason', async () => {
    client.send({ type: 'set_config', fragHandling: 0, missSendLen: 0xffff });
    client.send(flowMod({ command: 'delete', table: 255 }));
    const ctl: OfAction = { type: 'output', port: OFPP.CONTROLLER, maxLen: 20 };
    client.send(flowMod({ match: inPort(2), actions: [ctl] }));
    await barrier();
    sw.dpif.receive(1, frame({ src: H1 }));
    sw.dpif.receive(2, frame({ src: H2 }));
    await client.request({ type: 'barrier_request' });
    const ins = events.filter((e): e is PacketIn => e.type === 'packet_in');
    expect(ins.map((e) => [e.inPort, e.reason, e.totalLen, e.data.length])).toEqual([
      [1, 0, 60, 60],
      // Whole, whatever max_len says: there is no buffer to fetch the rest from.
      [2, 1, 60, 60],
    ]);
  });

  it('sends what an entry asks to send as no_match, whole', async () => {
    client.send({ type: 'set_config', fragHandling: 0, missSendLen: 0xffff });
    const ctl: OfAction = { type: 'controller', maxLen: 20, controllerId: 0, reason: 0 };
    client.send(flowMod({ match: inPort(2), actions: [ctl] }));
    await barrier();
    sw.dpif.receive(2, frame({ src: H2 }));
    await barrier();
    expect(events).toMatchObject([{ type: 'packet_in', reason: 0, totalLen: 60 }]);
    expect(events[0].type === 'packet_in' && events[0].data.length).toBe(60);
  });

  it('follows set-field, dec_ttl and goto through tables', async () => {
    client.close();
    client = await open([4]);
    const mac = Uint8Array.of(2, 0, 0, 0, 0, 9);
    const match = inPort(1);
    matchProtocol(match, 'ip');
    const ones = new Uint8Array(6).fill(0xff);
    client.send(
      flowMod({
        match,
        actions: [
          { type: 'set_field', field: 'eth_dst', value: mac, mask: ones, form: 'set_field' },
          { type: 'dec_ttl', controllerIds: [0] },
          { type: 'goto_table', table: 5 },
        ],
      }),
    );
    client.send(flowMod({ table: 5, actions: [output(3)] }));
    await barrier();
    expect(sw.dpif.receive(1, udp(H2, H1, 64))).toBe(
      'set(eth(dst=02:00:00:00:00:09)),set(ipv4(ttl=63)),3',
    );
    expect(sw.dpif.receive(1, udp(H2, H1, 1))).toContain('controller(reason=2');
  });

  it('turns a port off and on', async () => {
    const hwAddr = br.portByNo(2)?.device.etherAddr() as Uint8Array;
    const mod = { type: 'port_mod', portNo: 2, hwAddr, advertise: 0 } as const;
    client.send({ ...mod, config: 32, mask: 32 });
    await barrier();
    expect(sw.send(1, frame({ src: H1 }))).toBe('3');
    client.send({ ...mod, config: 0, mask: 32 });
    await barrier();
    expect(sw.send(1, frame({ src: H1 }))).toBe('2,3');
    const wrong = { ...mod, hwAddr: new Uint8Array(6), config: 0, mask: 1 };
    expect((await client.transactNoReply([wrong]))?.error.error).toBe('OFPPMFC_BAD_HW_ADDR');
  });

  it('sends ten thousand entries to a reader in parts', async () => {
    for (let i = 0; i < 10_000; i++) {
      const match = inPort(1);
      match.flow[4] = i;
      match.mask[4] = -1;
      br.flowMod(flowMod({ match, actions: [output(2)] }));
    }
    expect((await flows()).length).toBe(10_001);
  });
});

describe('fail mode', () => {
  it('keeps a secure bridge silent and a standalone one switching', () => {
    const sw = new TestSwitch();
    const br = sw.bridge('br0');
    for (const name of ['p1', 'p2']) sw.port(br, name);
    br.setFailMode('secure');
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('drop');
    br.setFailMode('standalone');
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('2');
  });

  it('waits for its controller, then switches by itself', () => {
    const sw = new TestSwitch();
    const br = sw.bridge('br0');
    for (const name of ['p1', 'p2']) sw.port(br, name);
    br.setControllers([
      {
        target: 'unix:/nonexistent/controller',
        connectionMode: 'out-of-band',
        maxBackoffMs: 8000,
        inactivityProbeMs: 5000,
      },
    ]);
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('drop');
    sw.advance(15_000);
    expect(sw.send(1, frame({ src: H1 }))).toBe('2');
    expect(br.controllerStatus()).toMatchObject([{ connected: false }]);
    br.setControllers([]);
    sw.settle();
    expect(br.tables[0].cls.size).toBe(1);
    br.close();
  });
});
