/**
 * `tapswitch start --web`: the console beside the switch, in one namespace: it comes up with the
 * switch, comes again when it is killed, sees what is at the far end of a veth, captures packets,
 * and goes with the switch.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Capture, Topology } from '../../src/web/api/index.js';
import { type BackgroundProcess, eventually, run } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { tapswitchBin } from '../support/switch.js';

const BASE = 'http://127.0.0.1:8480';
/** Asks from within the namespace: prints status and body. */
const ASK =
  'const [url, method, token, body] = process.argv.slice(1);' +
  "const headers = { 'content-type': 'application/json', authorization: 'Bearer ' + token };" +
  'fetch(url, { method, headers, body: body || undefined })' +
  ".then(async (r) => console.log(r.status + ' ' + (await r.text())))" +
  '.catch((e) => console.log("0 " + e))';

let lab: Lab;
let host: Host;
let daemon: BackgroundProcess;

async function ask(path: string, method = 'GET', body?: unknown) {
  const token = method === 'GET' && !path.includes('captures') ? '' : webToken();
  const text = body === undefined ? '' : JSON.stringify(body);
  const argv = [process.execPath, '-e', ASK, `${BASE}${path}`, method, token, text];
  const { stdout } = await lab.namespace.run(argv);
  const at = stdout.indexOf(' ');
  return { status: Number(stdout.slice(0, at)), body: stdout.slice(at + 1) };
}

function webToken(): string {
  return readFileSync(join(lab.sw.directory, 'web-token'), 'utf8').trim();
}

/** The console's process: the daemon's child of that name. */
async function child(): Promise<number> {
  const { stdout } = await run(['pgrep', '-P', `${daemon.pid}`, '-f', 'web --child']);
  return Number(stdout.trim());
}

beforeAll(async () => {
  lab = await Lab.open();
  const argv = [tapswitchBin, 'start', '--web', '--web-write'];
  daemon = lab.namespace.start(argv, { env: lab.sw.environment });
  host = await lab.addHost('far', { port: 'va', addresses: ['10.0.0.1/24'] });
  await eventually('the switch', () => lab.sw.vsctl('show'), 20_000);
  await lab.sw.vsctl('add-br', 'br0', '--', 'add-port', 'br0', 'va');
  await eventually('the console', async () => (await ask('/ready')).status === 200, 20_000, 300);
}, 60_000);

afterAll(() => lab?.close());

describe('the console of the daemon', () => {
  it('listens when a start in the background returns', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tapswitch-web-'));
    const dirs = { OVS_RUNDIR: directory, OVS_DBDIR: directory, OVS_LOGDIR: directory };
    const env = { ...process.env, ...dirs, NODE_OPTIONS: '' };
    const start = [tapswitchBin, 'start', '--detach', '--web=127.0.0.1:8481'];
    try {
      expect(await lab.namespace.run(start, { env })).toMatchObject({ status: 0 });
      const argv = [process.execPath, '-e', ASK, 'http://127.0.0.1:8481/health', 'GET', '', ''];
      expect((await lab.namespace.run(argv)).stdout).toMatch(/^200 /);
    } finally {
      await lab.namespace.run([tapswitchBin, 'appctl', 'exit'], { env });
      await rm(directory, { recursive: true, force: true });
    }
  });

  it('sees the namespace at the other end of a port', async () => {
    const { nodes, edges } = JSON.parse((await ask('/api/v1/topology')).body) as Topology;
    const far = nodes.find(({ kind }) => kind === 'namespace');
    expect(far).toMatchObject({ label: host.namespace.name, detail: 'eth0' });
    expect(edges).toContainEqual(expect.objectContaining({ from: 'port:va', to: far?.id }));
  });

  it('captures packets of a port', async () => {
    const request = { port: 'va', filter: 'arp', seconds: 20, packets: 1 };
    const started = await ask('/api/v1/captures', 'POST', request);
    const { id } = JSON.parse(started.body) as Capture;
    await host.ping('10.0.0.9', 3);
    const state = async () => JSON.parse((await ask(`/api/v1/captures/${id}`)).body) as Capture;
    await eventually('a packet', async () => (await state()).state === 'done', 20_000, 300);
    const { body } = await ask(`/api/v1/captures/${id}/packets`);
    expect(JSON.parse(body).rows[0]).toMatchObject({
      protocol: 'ARP',
      flow: expect.stringMatching(/^arp/),
    });
  });

  it('is started again when it is killed', async () => {
    const before = await child();
    process.kill(before, 'SIGKILL');
    const back = async () => (await child()) > 0 && (await child()) !== before;
    await eventually('another console', back, 20_000, 300);
    await eventually('its answer', async () => (await ask('/ready')).status === 200, 20_000, 300);
  });

  it('ends with the switch, also when that is killed', async () => {
    const pid = await child();
    process.kill(pidOfDaemon(), 'SIGKILL');
    const gone = async () => (await run(['kill', '-0', `${pid}`])).status !== 0;
    await eventually('the console to end', gone, 20_000);
  });
});

function pidOfDaemon(): number {
  return Number(readFileSync(join(lab.sw.directory, 'ovs-vswitchd.pid'), 'utf8'));
}
