/**
 * In-band control: a bridge that forwards nothing reaches the controller that is behind one of its
 * own ports, over the address of its local port.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { tapswitchBin } from '../support/switch.js';

const CONTROLLER = '10.0.0.2';

let lab: Lab;
let host: Host;
let stranger: Host;

beforeAll(async () => {
  lab = await Lab.start();
  await lab.sw.addBridge('br0');
  await lab.sw.vsctl('set-fail-mode', 'br0', 'secure');
  host = await lab.addHost('c1', { port: 'p1', addresses: [`${CONTROLLER}/24`] });
  stranger = await lab.addHost('c2', { port: 'p2', addresses: ['10.0.0.3/24'] });
  for (const name of ['p1', 'p2']) await lab.sw.vsctl('add-port', 'br0', name);
  await lab.namespace.ip('addr', 'add', '10.0.0.1/24', 'dev', 'br0');
  await lab.namespace.ip('link', 'set', 'br0', 'up');
  // It listens and never says what is to be done with packets.
  host.namespace.start([tapswitchBin, 'controller', '--mute', 'ptcp:6653']);
}, 60_000);

afterAll(() => lab?.close());

const connected = async (): Promise<boolean> =>
  (await lab.sw.vsctl('get', 'controller', 'br0', 'is_connected')).trim() === 'true';

/** Matches of the hidden entries. */
async function hidden(): Promise<string[]> {
  const text = await lab.sw.appctl('bridge/dump-flows', 'br0');
  return [...text.matchAll(/priority=18000\d,(.*),actions=/g)].map(([, match]) => match);
}

describe('with a controller behind a port', () => {
  it('connects although no entry forwards anything', async () => {
    expect(await host.namespace.ping('10.0.0.1', 1)).toBe(0);
    await lab.sw.vsctl('set-controller', 'br0', `tcp:${CONTROLLER}:6653`);
    await eventually('the connection', connected, 20_000);
    expect(await lab.sw.ofctl('dump-flows', 'br0')).not.toContain('actions=');
    expect(await lab.sw.ofctl('dump-tables', 'br0')).toMatch(/table 0:\s+active=0,/);
    await eventually('all hidden entries', async () => (await hidden()).length === 9, 5000);
    const counts = await lab.sw.appctl('bridge/dump-flows', 'br0');
    expect(counts).toMatch(/n_packets=[1-9]\d*, n_bytes=\d+, priority=180007,tcp,nw_dst=10.0.0.2/);
  });

  it('forwards nothing else', async () => {
    expect(await stranger.namespace.ping(CONTROLLER, 1)).toBe(0);
    expect(await stranger.namespace.ping('10.0.0.1', 1)).toBe(0);
  });

  it('brings DHCP answers to the local port', async () => {
    const trace = (to: number): Promise<string> =>
      lab.sw.appctl('ofproto/trace', 'br0', `in_port=p1,udp,udp_src=67,udp_dst=${to}`);
    const reply = await trace(68);
    expect(reply).toContain('outputting DHCP packet to local port for in-band control');
    expect(reply).toMatch(/Datapath actions: \d+\n/);
    expect(await trace(69)).toContain('Datapath actions: drop');
  });

  it('ends with disable-in-band, and with connection_mode=out-of-band', async () => {
    await lab.sw.vsctl('set', 'bridge', 'br0', 'other_config:disable-in-band=true');
    await eventually('no hidden entry', async () => (await hidden()).length === 0, 5000);
    await lab.sw.vsctl('remove', 'bridge', 'br0', 'other_config', 'disable-in-band');
    await eventually('hidden entries', async () => (await hidden()).length === 9, 5000);
    await lab.sw.vsctl('set', 'controller', 'br0', 'connection_mode=out-of-band');
    await eventually('no hidden entry', async () => (await hidden()).length === 0, 5000);
  });
});
