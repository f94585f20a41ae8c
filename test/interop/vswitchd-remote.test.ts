/**
 * Our daemon on Debian's ovsdb-server: one server that restarts, and a cluster that loses its
 * leader. Forwarding must not notice either.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { pingCounts } from '../support/netns.js';
import { OvsdbServer } from '../support/ovsdb-server.js';
import { RaftCluster } from '../support/raft-cluster.js';

let lab: Lab;
let west: Host;

beforeEach(async () => {
  lab = await Lab.open();
  west = await lab.addHost('west', { port: 'port1', addresses: ['10.0.0.1/24'] });
  await lab.addHost('east', { port: 'port2', addresses: ['10.0.0.2/24'] });
  await lab.addWire('spare', 'spare-end');
});

afterEach(() => lab?.close());

/** A bridge between both hosts, made through the database. */
async function addBridge(): Promise<void> {
  await lab.sw.vsctl(
    'add-br',
    'br0',
    '--',
    'add-port',
    'br0',
    'port1',
    '--',
    'add-port',
    'br0',
    'port2',
  );
  await eventually('the first ping', async () => (await west.ping('10.0.0.2', 1)) === 1);
}

/** A hundred pings a second while `disturb` does its work; returns how many were lost. */
async function pingsLostDuring(disturb: () => Promise<unknown>): Promise<number> {
  const ping = west.namespace.start(['ping', '-n', '-i', '0.01', '-W', '1', '10.0.0.2']);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await disturb();
  await ping.stop('SIGINT');
  const { sent, received } = pingCounts(ping.output.stdout);
  expect(sent).toBeGreaterThan(30);
  return sent - received;
}

describe('on one server', () => {
  let server: OvsdbServer;

  beforeEach(async () => {
    server = await OvsdbServer.start();
  });
  afterEach(() => server?.stop());

  it('goes on while the server is away, and takes up what changed when it is back', async () => {
    await lab.sw.startOnDatabase([server.remote]);
    await addBridge();
    const lost = await pingsLostDuring(async () => {
      await server.restart();
      await lab.sw.vsctl('add-port', 'br0', 'spare');
    });
    // One answer may still be on its way when ping is told to stop.
    expect(lost).toBeLessThanOrEqual(1);
    expect(await lab.sw.ofport('spare')).toBeGreaterThan(0);
  });
});

describe('on a cluster of three', () => {
  let cluster: RaftCluster;

  beforeEach(async () => {
    cluster = await RaftCluster.start();
  });
  afterEach(() => cluster?.stop());

  it('drops nothing when the leader is lost, and obeys the next one', async () => {
    await lab.sw.startOnDatabase(cluster.remotes);
    await addBridge();
    const lost = await pingsLostDuring(async () => {
      await cluster.members[0].stop('SIGKILL');
      await lab.sw.vsctl('--retry', 'add-port', 'br0', 'spare');
    });
    expect(lost).toBeLessThanOrEqual(1);
    expect(await lab.sw.ofport('spare')).toBeGreaterThan(0);
  });
});
