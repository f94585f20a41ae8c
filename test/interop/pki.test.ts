/**
 * Certificates of `tapswitch pki` between Debian's OVSDB programs and ours, each as server and as
 * client: those that belong together connect; a stranger's, an expired one and a wrong CA do not.
 */
import { copyFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BackgroundProcess, eventually, must, run } from '../support/command.js';
import { tapswitchBin } from '../support/switch.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

let dir: string;
let env: NodeJS.ProcessEnv;
const ports: Record<string, number> = {};
const servers: BackgroundProcess[] = [];

const file = (name: string): string => join(dir, name);
const ca = (pki: string): string => file(`${pki}/switchca/cacert.pem`);

function pki(name: string, ...argv: string[]): Promise<string> {
  return must([tapswitchBin, 'pki', '-d', file(name), '-l', file('log'), '-u', ...argv]);
}

function keys(name: string): string[] {
  return [`--private-key=${file(name)}-privkey.pem`, `--certificate=${file(name)}-cert.pem`];
}

/** A certificate of the PKI whose time is over. */
async function signExpired(name: string): Promise<void> {
  await pki('pki', 'req', file(name));
  const dates = ['-startdate', '20200101000000Z', '-enddate', '20200102000000Z'];
  const argv = ['openssl', 'ca', '-config', 'ca.cnf', '-batch', ...dates];
  const cwd = file('pki/switchca');
  writeFileSync(
    `${file(name)}-cert.pem`,
    await must([...argv, '-in', `${file(name)}-req.pem`], { cwd }),
  );
}

/** A certificate of the PKI that is made out to a host. */
async function signFor(name: string, names: string): Promise<void> {
  await pki('pki', 'req', file(name));
  writeFileSync(file('names'), `subjectAltName = ${names}\n`);
  const request = ['-batch', '-in', `${file(name)}-req.pem`, '-extfile', file('names')];
  const argv = ['openssl', 'ca', '-config', 'ca.cnf', ...request];
  writeFileSync(`${file(name)}-cert.pem`, await must(argv, { cwd: file('pki/switchca') }));
}

async function startServer(kind: string, argv: string[], who = 'server'): Promise<void> {
  const database = file(`${kind}.db`);
  copyFileSync(file('empty.db'), database);
  const remote = ['--remote=pssl:0:127.0.0.1', ...keys(who), `--ca-cert=${ca('pki')}`];
  const log = [`--log-file=${file(kind)}.log`, '-vconsole:off', `--unixctl=${file(kind)}.ctl`];
  const server = BackgroundProcess.start([...argv, ...remote, ...log, database], { env });
  servers.push(server);
  ports[kind] = await eventually(
    `${kind} to listen`,
    async () => {
      const { stdout } = await run(['ss', '-Hltnp']);
      const line = stdout.split('\n').find((text) => text.includes(`pid=${server.pid},`));
      return Number(/:(\d+) /.exec(line ?? '')?.[1] ?? 0);
    },
    15_000,
  );
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tapswitch-pki-'));
  const dirs = { OVS_RUNDIR: dir, OVS_DBDIR: dir, OVS_LOGDIR: dir };
  env = { ...process.env, ...dirs, NODE_OPTIONS: '' };
  for (const name of ['pki', 'other']) await pki(name, 'init');
  for (const name of ['server', 'client']) await pki('pki', 'req+sign', file(name));
  await pki('other', 'req+sign', file('stranger'));
  await signExpired('expired');
  await must(['ovsdb-tool', 'create', file('empty.db'), SCHEMA]);
  await startServer('debian', ['ovsdb-server']);
  await startServer('ours', [tapswitchBin, 'ovsdb-server']);
  await signFor('elsewhere', 'DNS:db.elsewhere.example');
  await signFor('here', 'DNS:db.elsewhere.example,IP:127.0.0.1');
  await startServer('elsewhere', ['ovsdb-server'], 'elsewhere');
  await startServer('here', ['ovsdb-server'], 'here');
}, 90_000);

afterAll(async () => {
  for (const server of servers) await server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe.each(['debian', 'ours'])('the %s server', (server) => {
  describe.each([
    ['debian', ['ovsdb-client']],
    ['ours', [tapswitchBin, 'ovsdb']],
  ])('and the %s client', (kind, program) => {
    const ask = (who: string, trusted: string) => {
      const remote = `ssl:127.0.0.1:${ports[server]}`;
      const argv = [...program, ...keys(who), `--ca-cert=${ca(trusted)}`, 'list-dbs', remote];
      return run(argv, { env, timeoutMs: 15_000 });
    };

    it('trust what one PKI signed', async () => {
      expect(await ask('client', 'pki')).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('Open_vSwitch'),
      });
    });

    it.each(['stranger', 'expired'])('do not connect with the certificate of %s', async (who) => {
      const { status, stdout, stderr } = await ask(who, 'pki');
      expect([status, stdout]).toEqual([1, '']);
      if (kind === 'ours') expect(stderr).toMatch(/certificate/);
    });

    it('do not connect when the client trusts another CA', async () => {
      const { status, stderr } = await ask('client', 'other');
      expect(status).toBe(1);
      expect(stderr).toMatch(/certificate|Protocol error/);
    });
  });
});

it('our client holds a certificate that names hosts to them', async () => {
  const ask = (server: string) => {
    const remote = `ssl:127.0.0.1:${ports[server]}`;
    const argv = [tapswitchBin, 'ovsdb', ...keys('client'), `--ca-cert=${ca('pki')}`];
    return run([...argv, 'list-dbs', remote], { env, timeoutMs: 15_000 });
  };
  expect(await ask('here')).toMatchObject({ status: 0 });
  const refused = await ask('elsewhere');
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain('made out to DNS:db.elsewhere.example, not to 127.0.0.1');
});

it('our server says in its log whom it refused, and why', async () => {
  const log = await must(['cat', file('ours.log')]);
  expect(log).toMatch(/SSL_accept: certificate verify failed \(signed by another CA\)/);
  expect(log).toMatch(/SSL_accept: certificate verify failed \(it has expired\)/);
});

it('a certificate is checked against the host that it is made out to, when asked', async () => {
  await pki('pki', 'verify', '--host=client', file('client'));
  const argv = [tapswitchBin, 'pki', '-d', file('pki'), '-l', file('log'), 'verify'];
  const { status, stderr } = await run([...argv, '--host=elsewhere', file('client')]);
  expect([status, stderr]).toEqual([1, expect.stringContaining('hostname mismatch')]);
});
