/** A bridge and its controllers: connecting, roles, losing and finding each other again. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTarget } from '../../../src/ofproto/connmgr/stream.js';
import type { Ofproto } from '../../../src/ofproto/ofproto.js';
import type { OfMessage } from '../../../src/openflow/messages.js';
import { OfConnection } from '../../../src/openflow/vconn.js';
import { frame, TestSwitch } from './support/bridge.js';

const H1 = '50:54:00:00:00:01';

describe('controllers', () => {
  let dir: string;
  let sw: TestSwitch;
  let br: Ofproto;
  let servers: Server[];
  let sessions: OfConnection[];
  let heard: OfMessage[];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tapswitch-ctl-'));
    sw = new TestSwitch(true);
    br = sw.bridge('br0');
    for (const name of ['p1', 'p2']) sw.port(br, name);
    servers = [];
    sessions = [];
    heard = [];
  });

  afterEach(() => {
    sw.backer.close();
    for (const session of sessions) session.close();
    for (const server of servers) server.close();
    rmSync(dir, { recursive: true });
  });

  const settings = (target: string) => ({
    target,
    connectionMode: 'out-of-band' as const,
    maxBackoffMs: 8000,
    inactivityProbeMs: 5000,
  });

  async function serve(name: string, versions: number[]): Promise<string> {
    const server = createServer((socket: Socket) => {
      sessions.push(new OfConnection(socket, { versions, onMessage: (msg) => heard.push(msg) }));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(join(dir, name), resolve));
    return `unix:${join(dir, name)}`;
  }

  /** Waits (in real time, briefly) for what sockets have to do. */
  async function until(condition: () => boolean): Promise<void> {
    for (let i = 0; i < 400 && !condition(); i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      sw.settle();
    }
    expect(condition()).toBe(true);
  }

  const connected = (n: number): boolean =>
    br.controllerStatus().filter((status) => status.connected).length === n;

  it('gets packets that no entry matches, and its entries replace the default one', async () => {
    br.setControllers([settings(await serve('a', [1]))]);
    await until(() => connected(1));
    expect(sw.send(1, frame({ src: H1 }))).toContain('controller(reason=7');
    await until(() => heard.some((msg) => msg.type === 'packet_in'));
    expect(heard.find((msg) => msg.type === 'packet_in')).toMatchObject({ inPort: 1, reason: 0 });
    br.setControllers([]);
    sw.settle();
    expect(sw.send(1, frame({ src: H1 }))).toBe('2');
  });

  it('has one primary at a time, which alone may change flows', async () => {
    const targets = [await serve('a', [4]), await serve('b', [4])];
    br.setControllers(targets.map(settings));
    await until(() => connected(2) && sessions.every((session) => session.version === 4));
    const [a, b] = sessions;
    const role = { type: 'role_request', role: 'primary' } as const;
    await a.request({ ...role, generationId: 1n });
    await b.request({ ...role, generationId: 2n });
    expect(
      br
        .controllerStatus()
        .map((status) => status.role)
        .sort(),
    ).toEqual(['master', 'slave']);
    const barrier = await a.transactNoReply([
      {
        type: 'port_mod',
        portNo: 1,
        hwAddr: new Uint8Array(6),
        config: 0,
        mask: 0,
        advertise: 0,
      },
    ]);
    expect(barrier?.error.error).toBe('OFPBRC_IS_SECONDARY');
    const stale = await a.request({ ...role, generationId: 1n });
    expect(stale).toMatchObject([{ type: 'error', error: 'OFPRRFC_STALE' }]);
  });

  it('is looked for again after a loss, each time later', async () => {
    br.setControllers([settings(await serve('a', [1]))]);
    await until(() => connected(1));
    sessions[0].close();
    await until(() => connected(0));
    expect(br.controllerStatus()).toMatchObject([{ state: 'BACKOFF', lastError: 'End of file' }]);
    sw.advance(999);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(sessions.length).toBe(1);
    sw.advance(1);
    await until(() => connected(1));
    expect(br.controllerStatus()[0].secSinceConnect).toBe(0);
  });

  it('is probed when silent, and given up without an answer', async () => {
    br.setControllers([settings(await serve('a', [1]))]);
    await until(() => connected(1));
    sessions[0].socket.pause();
    sw.advance(5000);
    expect(br.controllerStatus()[0].state).toBe('IDLE');
    sw.advance(5000);
    expect(br.controllerStatus()).toMatchObject([
      { connected: false, lastError: 'no response to inactivity probe' },
    ]);
  });

  /** Connects to a target that the bridge listens on. */
  async function enter(name: string): Promise<OfConnection> {
    const socket = connect(join(dir, name));
    const session = new OfConnection(socket, {
      versions: [4],
      onMessage: (msg) => heard.push(msg),
    });
    sessions.push(session);
    await session.whenOpen();
    await session.request({ type: 'features_request' });
    return session;
  }

  const passive = (name: string, kind?: 'primary' | 'service') => ({
    ...settings(`punix:${join(dir, name)}`),
    kind,
  });

  it('is probed too where it is waited for', async () => {
    br.setControllers([passive('a')]);
    await until(() => existsSync(join(dir, 'a')));
    const [quiet, alive] = [await enter('a'), await enter('a')];
    quiet.socket.pause();
    sw.advance(5000);
    await until(() => alive.counts.received > 2);
    await new Promise((resolve) => setTimeout(resolve, 30));
    sw.advance(5000);
    quiet.socket.resume();
    await until(() => quiet.closed);
    expect(alive.closed).toBe(false);
  });

  it('has no role while it is not connected', async () => {
    br.setControllers([settings(await serve('a', [1]))]);
    expect(br.controllerStatus()).toMatchObject([{ connected: false, role: null }]);
    await until(() => connected(1));
    expect(br.controllerStatus()).toMatchObject([{ connected: true, role: 'other' }]);
  });

  it('leaves the bridge to itself where it only looks on', async () => {
    const looksOn = { ...settings(await serve('a', [4])), kind: 'service' as const };
    br.setControllers([looksOn]);
    await until(() => connected(1));
    expect(sw.send(1, frame({ src: H1 }))).toBe('2');
    sw.port(br, 'p3');
    await sessions[0].request({ type: 'features_request' });
    expect(heard).toEqual([]);
    br.setControllers([{ ...looksOn, kind: 'primary' }]);
    await until(() => sessions.length === 2 && connected(1));
    expect(sw.send(2, frame({ src: H1 }))).toBe('drop');
  });

  it('is in charge where it is waited for, if it is to be', async () => {
    br.setControllers([passive('a', 'primary')]);
    await until(() => existsSync(join(dir, 'a')));
    expect(br.connmgr.nHidden).toBe(1);
    expect(sw.send(1, frame({ src: H1 }))).toBe('2');
    const session = await enter('a');
    await until(() => br.connmgr.nHidden === 0);
    expect(sw.send(1, frame({ src: H1, dst: '50:54:00:00:00:09' }))).toBe('drop');
    sw.port(br, 'p3');
    await until(() => heard.some((msg) => msg.type === 'port_status'));
    session.close();
    await until(() => br.connmgr.nHidden === 1);
  });

  it('stays while it answers, even if nobody looks until the time is over', async () => {
    br.setControllers([settings(await serve('a', [1]))]);
    await until(() => connected(1));
    for (let probes = 1; probes <= 3; probes++) {
      const received = sessions[0].counts.received;
      sw.advance(5000);
      for (let i = 0; i < 100 && sessions[0].counts.received === received; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      // For the answer to come back; nothing but the time makes the switch look at it.
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(br.controllerStatus()).toMatchObject([{ connected: true, state: 'IDLE' }]);
    }
    expect(sessions.length).toBe(1);
  });

  it('is told of ports that come, go and change', async () => {
    br.setControllers([settings(await serve('a', [1]))]);
    await until(() => connected(1));
    sw.port(br, 'p3');
    sw.devices.get('p1')?.setLink(false);
    sw.settle();
    br.portDel(3);
    const reasons = (): number[] =>
      heard.flatMap((msg) => (msg.type === 'port_status' ? [msg.reason] : []));
    await until(() => reasons().length >= 3);
    expect(reasons()).toEqual([0, 2, 1]);
  });

  it('reads targets', () => {
    expect(parseTarget('tcp:10.0.0.1')).toEqual({
      host: '10.0.0.1',
      port: 6653,
      tls: false,
    });
    expect(parseTarget('tcp:[fe80::1]:99')).toEqual({
      host: 'fe80::1',
      port: 99,
      tls: false,
    });
    expect(parseTarget('ssl:h')).toEqual({ host: 'h', port: 6653, tls: true });
    expect(parseTarget('unix:/x')).toEqual({ path: '/x' });
    expect(parseTarget('bogus')).toBeNull();
  });
});
