/**
 * Controllers over TLS: Debian's ovs-testcontroller drives real hosts through the switch, keys come
 * from the database, both sides check each other, and what goes wrong stands in the Controller row.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authority } from '../support/certificates.js';
import { type BackgroundProcess, eventually, run } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';

const FIRST = '10.1.1.1';
const SECOND = '10.1.1.2';

interface Identity {
  key: string;
  certificate: string;
}

let lab: Lab;
let first: Host;
let files: string;
let ca: Authority;
let other: Authority;
let switchKeys: Identity;
let controllerKeys: Identity;

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), 'tapswitch-tls-'));
  ca = await Authority.make(files, 'ca');
  other = await Authority.make(files, 'other');
  switchKeys = await ca.issue('switch');
  controllerKeys = await ca.issue('controller');
  lab = await Lab.start();
  first = await lab.addHost('h1', { port: 'p1', addresses: [`${FIRST}/24`] });
  await lab.addHost('h2', { port: 'p2', addresses: [`${SECOND}/24`] });
  await lab.sw.addBridge('br0');
  // Debian's ovs-testcontroller ends itself over OpenFlow 1.5, whatever the switch.
  await lab.sw.vsctl('set', 'bridge', 'br0', 'fail_mode=secure', 'protocols=OpenFlow13');
  for (const port of ['p1', 'p2']) await lab.sw.vsctl('add-port', 'br0', port);
}, 60_000);

afterAll(async () => {
  await lab?.close();
  if (files !== undefined) await rm(files, { recursive: true, force: true });
});

const setSsl = (keys: Identity, caCert: string): Promise<string> =>
  lab.sw.vsctl('set-ssl', keys.key, keys.certificate, caCert);

const column = async (name: string): Promise<string> =>
  (await lab.sw.vsctl('get', 'Controller', 'br0', name)).trim();

const connected = async (): Promise<boolean> => (await column('is_connected')) === 'true';

/** Runs a controller while a test does. */
async function withController(
  target: string,
  keys: Identity,
  caCert: string,
  body: (controller: BackgroundProcess) => Promise<void>,
): Promise<void> {
  const controller = lab.namespace.start([
    ...['ovs-testcontroller', target, '--log-file=/dev/null', '-vconsole:warn'],
    ...[`--private-key=${keys.key}`, `--certificate=${keys.certificate}`, `--ca-cert=${caCert}`],
    `--unixctl=${lab.sw.directory}/testcontroller.ctl`,
  ]);
  try {
    await body(controller);
  } finally {
    await controller.stop();
    await lab.sw.vsctl('del-controller', 'br0');
    await lab.sw.ofctl('-O', 'OpenFlow13', 'del-flows', 'br0');
  }
}

async function hostsMeet(): Promise<void> {
  await eventually('the controller to be connected', connected, 20_000);
  await eventually('hosts to meet', async () => (await first.ping(SECOND, 1)) === 1, 20_000);
  expect(await first.ping(SECOND, 3)).toBe(3);
}

/** What the row says once a connection was refused. */
async function refusal(pattern: RegExp): Promise<void> {
  let status = '';
  const refused = async (): Promise<boolean> => {
    status = await column('status');
    return pattern.test(status);
  };
  await eventually('the refusal in the row', refused, 20_000).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${status}`);
  });
  expect(await connected()).toBe(false);
  expect(await first.ping(SECOND, 1)).toBe(0);
}

describe('a controller over TLS', () => {
  it('that the switch connects to', async () => {
    await setSsl(switchKeys, ca.certificate);
    await withController('pssl:6653:127.0.0.1', controllerKeys, ca.certificate, async () => {
      await lab.sw.vsctl('set-controller', 'br0', 'ssl:127.0.0.1:6653');
      await hostsMeet();
      expect(await column('status')).toMatch(/state=ACTIVE/);
    });
  }, 60_000);

  it('that connects to the switch', async () => {
    await setSsl(switchKeys, ca.certificate);
    await lab.sw.vsctl('set-controller', 'br0', 'pssl:6654:127.0.0.1');
    await withController('ssl:127.0.0.1:6654', controllerKeys, ca.certificate, async () => {
      await eventually('hosts to meet', async () => (await first.ping(SECOND, 1)) === 1, 20_000);
      expect(await first.ping(SECOND, 3)).toBe(3);
    });
  }, 60_000);

  it('that no CA of ours has signed is refused, and the row says so', async () => {
    await setSsl(switchKeys, ca.certificate);
    const stranger = await other.issue('stranger');
    await withController('pssl:6653:127.0.0.1', stranger, ca.certificate, async () => {
      await lab.sw.vsctl('set-controller', 'br0', 'ssl:127.0.0.1:6653');
      await refusal(/last_error="SSL_connect: certificate verify failed \(.*certificate/);
      expect(lab.sw.log).toMatch(/stream_ssl\|WARN\|ssl:127.0.0.1:6653: SSL_connect: certificate/);
    });
  }, 60_000);

  it('whose certificate has expired is refused', async () => {
    const expired = await ca.issue('expired', '20200101000000Z');
    await withController('pssl:6653:127.0.0.1', expired, ca.certificate, async () => {
      await lab.sw.vsctl('set-controller', 'br0', 'ssl:127.0.0.1:6653');
      await refusal(/certificate has expired/);
    });
  }, 60_000);

  it('is not reached with keys that cannot be read, and is once they can', async () => {
    await setSsl({ ...switchKeys, key: join(files, 'missing.pem') }, ca.certificate);
    await withController('pssl:6653:127.0.0.1', controllerKeys, ca.certificate, async () => {
      await lab.sw.vsctl('set-controller', 'br0', 'ssl:127.0.0.1:6653');
      await refusal(/missing.pem: cannot read/);
      await setSsl(switchKeys, ca.certificate);
      await hostsMeet();
    });
  }, 60_000);

  it('is not reached without keys', async () => {
    await lab.sw.vsctl('del-ssl');
    await lab.sw.vsctl('set-controller', 'br0', 'ssl:127.0.0.1:6653');
    await refusal(/Private key must be configured to use SSL/);
    await lab.sw.vsctl('del-controller', 'br0');
  }, 60_000);

  it('is trusted from its first connection on where that is asked for', async () => {
    const learned = join(files, 'learned.pem');
    await lab.sw.vsctl(
      ...['--bootstrap', 'set-ssl', switchKeys.key, switchKeys.certificate, learned],
    );
    const script = `cat ${controllerKeys.certificate} ${ca.certificate} > ${files}/chain.pem`;
    await run(['sh', '-c', script]);
    const chain = { ...controllerKeys, certificate: join(files, 'chain.pem') };
    await withController('pssl:6653:127.0.0.1', chain, ca.certificate, async () => {
      await lab.sw.vsctl('set-controller', 'br0', 'ssl:127.0.0.1:6653');
      await hostsMeet();
      const { stdout } = await run(['openssl', 'x509', '-in', learned, '-noout', '-subject']);
      expect(stdout).toContain('CN = ca');
    });
  }, 60_000);

  it('must show a certificate where it connects to the switch', async () => {
    await setSsl(switchKeys, ca.certificate);
    await lab.sw.vsctl('set-controller', 'br0', 'pssl:6654:127.0.0.1');
    const stranger = await other.issue('stranger2');
    await withController('ssl:127.0.0.1:6654', stranger, ca.certificate, async () => {
      await eventually(
        'the refusal in the log',
        () => /stream_ssl\|WARN\|pssl:6654:127.0.0.1: SSL_accept: /.test(lab.sw.log),
        20_000,
      );
      expect(await first.ping(SECOND, 1)).toBe(0);
    });
  }, 60_000);
});
