/**
 * The same command lines through Debian's ovs-vsctl and ours, each on a Debian ovsdb-server of its
 * own, and through Debian's ovs-vsctl on our server: output, errors and exit status must be the
 * same but for UUIDs, times and process IDs.
 *
 * Without a switch daemon (--no-wait), so what is compared is the configuration alone.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, run } from '../support/command.js';
import { OvsdbServer } from '../support/ovsdb-server.js';
import { tapswitchBin } from '../support/switch.js';
import { type Step, VSCTL_STEPS } from '../support/vsctl-steps.js';

let theirServer: OvsdbServer;
let ourServer: OvsdbServer;
/** Debian's too, but for our client alone. */
let clientServer: OvsdbServer;

beforeAll(async () => {
  theirServer = await OvsdbServer.start();
  clientServer = await OvsdbServer.start();
  ourServer = await OvsdbServer.start([process.execPath, tapswitchBin, 'ovsdb-server']);
});

afterAll(async () => {
  await theirServer?.stop();
  await clientServer?.stop();
  await ourServer?.stop();
});

/** Without what differs from run to run. The suggestion behind a typing error is ours alone. */
function normalise(text: string, { sorted }: Step): string {
  const same = text
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>')
    .replace(/"#<uuid>">[0-9a-f]{8}</g, '"#<uuid>"><part><')
    .replace(/name="<uuid>">[0-9a-f]{8}</g, 'name="<uuid>"><part><')
    .replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\|\d+\|/gm, '<time>|')
    // Which of two rows is the first depends on their UUIDs.
    .replace(/(First|Second) row, with UUID <uuid>, (was inserted|existed) [^.]*\./g, '<row>')
    .replace(/^ovs-vsctl: did you mean .*\n/gm, '')
    .replace(/^ {2}hint: is the switch running\?.*\n/gm, '');
  return sorted ? same.split('\n').sort().join('\n') : same;
}

function normaliseAll({ status, stdout, stderr }: Finished, step: Step) {
  return { status, stdout: normalise(stdout, step), stderr: normalise(stderr, step) };
}

describe('the same commands give the same answers', () => {
  it.each(VSCTL_STEPS.map((step) => [step.argv.join(' '), step] as const))(
    '%s',
    async (_, step) => {
      const argv = ['--timeout=10', '--no-wait', ...step.argv];
      const [theirs, ourClient, ourServers] = await Promise.all([
        run(['ovs-vsctl', ...argv], { env: theirServer.env }),
        run([process.execPath, tapswitchBin, 'vsctl', ...argv], { env: clientServer.env }),
        run(['ovs-vsctl', ...argv], { env: ourServer.env }),
      ]);
      const expected = normaliseAll(theirs, step);
      expect(normaliseAll(ourClient, step), 'our vsctl').toEqual(expected);
      expect(normaliseAll(ourServers, step), 'our server').toEqual(expected);
    },
  );
});

describe('without a server', () => {
  const env = { ...process.env, OVS_RUNDIR: '/nonexistent', NODE_OPTIONS: '' };
  const step: Step = { argv: [] };

  it.each([[['list-br']], [['--db=tcp:127.0.0.1:1', 'list-br']], [['--db=nonsense', 'list-br']]])(
    '%j fails alike',
    async (argv) => {
      const theirs = await run(['ovs-vsctl', '--timeout=10', ...argv], { env });
      const our = await run([process.execPath, tapswitchBin, 'vsctl', '--timeout=10', ...argv], {
        env,
      });
      expect(our.status).toBe(1);
      expect(normaliseAll(our, step)).toEqual(normaliseAll(theirs, step));
    },
  );
});

describe('what ours does by itself', () => {
  const vsctl = (...argv: string[]) =>
    run([process.execPath, tapswitchBin, 'vsctl', ...argv], { env: clientServer.env });

  it('hints at the switch that may not be running', async () => {
    const env = { ...process.env, OVS_RUNDIR: '/nonexistent', NODE_OPTIONS: '' };
    const { stderr } = await run([process.execPath, tapswitchBin, 'vsctl', 'show'], { env });
    expect(stderr).toMatch(/database connection failed .*\n {2}hint: is the switch running\?/);
  });

  it('gives up at the timeout with the status of SIGALRM', async () => {
    const result = await vsctl('--timeout=1', 'wait-until', 'Bridge', 'never');
    expect(result.status).toBe(142);
    expect(result.stderr).toMatch(/\|fatal_signal\|WARN\|terminating with signal 14/);
  });

  it('wakes up when what it waits for comes true', async () => {
    const waiting = vsctl('--timeout=10', 'wait-until', 'Bridge', 'late', 'stp_enable=true');
    await vsctl('--no-wait', 'add-br', 'late');
    await vsctl('--no-wait', 'set', 'Bridge', 'late', 'stp_enable=true');
    expect((await waiting).status).toBe(0);
  });

  it('waits for the switch and tells of an interface that it could not set up', async () => {
    const adding = vsctl('--timeout=10', 'add-port', 'late', 'gone0');
    const found = await vsctl('--timeout=10', '--no-wait', 'wait-until', 'Interface', 'gone0');
    expect(found.status).toBe(0);
    const fault = 'error="could not open network device gone0 (No such device)"';
    await vsctl('--no-wait', 'set', 'Interface', 'gone0', 'ofport=-1', fault);
    const next = (await vsctl('get', 'Open_vSwitch', '.', 'next_cfg')).stdout.trim();
    await vsctl('--no-wait', 'set', 'Open_vSwitch', '.', `cur_cfg=${next}`);
    const { status, stderr } = await adding;
    expect(status).toBe(0);
    expect(stderr).toBe(
      "ovs-vsctl: Error detected while setting up 'gone0': could not open network device gone0 " +
        '(No such device).  See ovs-vswitchd log for details.\n' +
        `ovs-vsctl: The default log directory is "${clientServer.directory}".\n`,
    );
  });

  it('asks whether another command, table or column was meant', async () => {
    expect((await vsctl('ad-br', 'x')).stderr).toMatch(/: did you mean "add-br"\?\n$/);
    expect((await vsctl('list', 'Brigde')).stderr).toMatch(/: did you mean "Bridge"\?\n$/);
    expect((await vsctl('get', 'Port', 'p', 'tga')).stderr).toMatch(/: did you mean "tag"\?\n$/);
  });

  it('prints versions and help without a server', async () => {
    const version = await vsctl('--db=unix:/nonexistent', '--version');
    expect(version.stdout).toMatch(/^ovs-vsctl \(Open vSwitch\) \d.*\ntapswitch .*\nDB Schema 8/);
    expect((await vsctl('--help')).stdout).toMatch(/^ovs-vsctl: ovs-vswitchd management utility\n/);
  });

  it('lists commands and options for completion as ovs-vsctl does', async () => {
    for (const list of ['--commands', '--options']) {
      const theirs = await run(['ovs-vsctl', list]);
      const lines = (text: string) => text.trim().split('\n').sort();
      expect(lines((await vsctl(list)).stdout)).toEqual(lines(theirs.stdout));
    }
  });
});
