/**
 * The host's own IP stack never answers on a port that the switch has taken, whatever addresses
 * stand on that interface. (Open vSwitch leaves this to the administrator; here it is a promise.)
 *
 *     h1 10.3.0.1 -- p1 10.3.0.254 (an address that must stay silent) [br0] p2 -- h2 10.3.0.2
 *                                          br0 itself: 10.3.0.9 (answers, once, from its own MAC)
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually, sleep } from '../support/command.js';
import type { FrameSocket } from '../support/frames.js';
import { type Host, Lab } from '../support/lab.js';
import { arpRequest, ETH_ARP, icmpEcho, mac, sourceOf } from '../support/packets.js';
import { isTapswitch } from '../support/switch.js';

let lab: Lab;
let h1: Host;
let socket: FrameSocket;
let portMac: string;
let bridgeMac: string;

beforeAll(async () => {
  lab = await Lab.start({ ipv6: true });
  h1 = await lab.addHost('h1', { port: 'p1', addresses: ['10.3.0.1/24'] });
  await lab.addHost('h2', { port: 'p2', addresses: ['10.3.0.2/24'] });
  await lab.sw.addBridge('br0');
  // Else the bridge takes the address of one of its ports, and answers could not be told apart.
  await lab.sw.vsctl('set', 'bridge', 'br0', 'other_config:hwaddr="02:00:00:00:03:09"');
  await lab.sw.vsctl('add-port', 'br0', 'p1', '--', 'add-port', 'br0', 'p2');
  await lab.namespace.ip('addr', 'add', '10.3.0.254/32', 'dev', 'p1');
  await lab.namespace.ip('addr', 'add', '10.3.0.9/24', 'dev', 'br0');
  await lab.namespace.ip('link', 'set', 'br0', 'up');
  portMac = await lab.namespace.macOf('p1');
  bridgeMac = await lab.namespace.macOf('br0');
  socket = await lab.frames(h1);
  await eventually('the ping to pass', async () => (await h1.ping('10.3.0.2', 1)) === 1);
}, 60_000);

afterAll(() => lab?.close());

beforeEach(() => socket.clear());

/** ARP replies seen by h1 within half a second, by the MAC that answered. */
async function arpAnswersFor(targetIp: string): Promise<string[]> {
  socket.send(arpRequest({ src: h1.mac, sourceIp: '10.3.0.1', targetIp }));
  await sleep(500);
  const replies = socket.received.filter(
    (frame) => frame.readUInt16BE(12) === ETH_ARP && frame.readUInt16BE(20) === 2,
  );
  return replies.map(sourceOf);
}

/** Frames that the port's own address sent to h1 within half a second, as text. */
async function answersFromPort(): Promise<string[]> {
  const toUs = (frame: Buffer) => frame.subarray(0, 6).equals(mac(h1.mac));
  const fromPort = (frame: Buffer) => sourceOf(frame) === portMac && toUs(frame);
  return (await socket.during(500, fromPort)).map((frame) => frame.toString('hex'));
}

describe.runIf(isTapswitch)('a port with an address of the host', () => {
  it('does not answer ARP for it', async () => {
    // The bridge's own interface may: Linux answers for any of its addresses on any interface.
    expect(await arpAnswersFor('10.3.0.254')).not.toContain(portMac);
  });

  it('does not answer a ping to the port itself', async () => {
    const echo = { dst: portMac, src: h1.mac, sourceIp: '10.3.0.1', targetIp: '10.3.0.254' };
    socket.send(icmpEcho(echo));
    expect(await answersFromPort()).toEqual([]);
  });

  it('does not answer IPv6 neighbour solicitations on the port', async () => {
    const text = await lab.namespace.ip('-6', '-o', 'addr', 'show', 'dev', 'p1', 'scope', 'link');
    const local = text.match(/inet6 (\S+)\//)?.[1];
    if (local !== undefined) expect(await h1.ping(`${local}%eth0`, 2)).toBe(0);
    expect(await answersFromPort()).toEqual([]);
  });

  it('answers for the internal port once, from the bridge alone', async () => {
    expect(await arpAnswersFor('10.3.0.9')).toEqual([bridgeMac]);
    expect(await h1.ping('10.3.0.9', 3)).toBe(3);
  });
});

it.runIf(isTapswitch)('gives the port back to the host when it leaves the bridge', async () => {
  await lab.sw.vsctl('del-port', 'p1');
  const answered = async () => (await arpAnswersFor('10.3.0.254')).includes(portMac);
  await eventually('the host to answer on the port again', answered);
});
