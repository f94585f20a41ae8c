/** What commands of our own add to an error, and that nothing is added under other names. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/main.js';
import { COMMAND_NAMES } from '../../../src/cli/ofctl/commands.js';
import { UnixctlError, UnixctlServer } from '../../../src/unixctl/server.js';
import { MemoryIo } from '../../support/memory-io.js';

const HINT = "  hint: is the switch running? try 'tapswitch start'\n";
const server = new UnixctlServer('version text');
let empty: string;
let running: string;

beforeAll(async () => {
  empty = mkdtempSync(join(tmpdir(), 'tapswitch-advice-'));
  running = mkdtempSync(join(tmpdir(), 'tapswitch-advice-'));
  server.register('bond/status', '', 0, 1, () => '[]\n');
  server.register('dpctl/dump-flows', '', 0, 1, () => {
    throw new UnixctlError('');
  });
  await server.listen(join(running, `ovs-vswitchd.${process.pid}.ctl`));
  writeFileSync(join(running, 'ovs-vswitchd.pid'), `${process.pid}\n`);
});

afterAll(async () => {
  await server.close();
  for (const directory of [empty, running]) rmSync(directory, { recursive: true });
});

async function command(directory: string, program: string, ...argv: string[]) {
  let io = new MemoryIo('');
  const status = await run(program, argv, (name) => {
    io = new MemoryIo(name, { OVS_RUNDIR: directory });
    return io;
  });
  return { status, out: io.takeOut(), err: io.takeErr() };
}

describe('the hint to start the switch', () => {
  it.each([
    ['bond', 'watch'],
    ['appctl', 'version'],
    ['dpctl', 'show'],
    ['vsctl', 'show'],
    ['ofctl', 'show', 'br1'],
  ])('follows the error of %s', async (...argv) => {
    const { status, err } = await command(empty, 'tapswitch', ...argv);
    expect(status).toBe(1);
    expect(err).toMatch(/^[^\n]+: [^\n]+\n {2}hint/m);
    expect(err.endsWith(HINT)).toBe(true);
  });

  it.each([
    ['ovs-appctl', 'version'],
    ['ovs-ofctl', 'show', 'br1'],
    ['ovs-vsctl', 'show'],
  ])('is left out under the name %s', async (program, ...argv) => {
    const { status, err } = await command(empty, program, ...argv);
    expect(status).toBe(1);
    expect(err).not.toContain('hint');
  });

  it('is left out for other daemons, and when the switch runs', async () => {
    const other = await command(empty, 'tapswitch', 'appctl', '-t', 'ovsdb-server', 'version');
    expect(other.err).toMatch(/^ovs-appctl: [^\n]+\n$/);
    const noBridge = await command(running, 'tapswitch', 'ofctl', 'show', 'br9');
    expect(noBridge.err).toBe('ovs-ofctl: br9 is not a bridge or a socket\n');
  });
});

describe('dpctl', () => {
  it('says that an argument is malformed where the daemon says nothing', async () => {
    const { status, err } = await command(running, 'tapswitch', 'dpctl', 'dump-flows', 'pmd=zz');
    expect(status).toBe(1);
    expect(err).toBe('ovs-dpctl: dump-flows: malformed argument\n');
  });
});

describe('ofctl', () => {
  it('suggests the command that was meant', async () => {
    const { status, err } = await command(empty, 'tapswitch', 'ofctl', 'ad-flow', 'br1', 'x');
    expect(status).toBe(1);
    expect(err).toBe(
      "ovs-ofctl: unknown command 'ad-flow'; use --help for help\n" +
        'ovs-ofctl: did you mean "add-flow"?\n',
    );
    const alias = await command(empty, 'ovs-ofctl', 'ad-flow', 'br1', 'x');
    expect(alias.err).toBe("ovs-ofctl: unknown command 'ad-flow'; use --help for help\n");
  });

  it('--help names every command', async () => {
    const { out } = await command(empty, 'tapswitch', 'ofctl', '--help');
    const unnamed = COMMAND_NAMES.filter((name) => !new RegExp(`[ (]${name}[ :]`).test(out));
    expect(unnamed).toEqual([]);
  });
});

describe('bond watch --json', () => {
  it('prints one line for each look', async () => {
    const options = ['--json', '--count=2', '--interval=0.1'];
    const { status, out } = await command(running, 'tapswitch', 'bond', 'watch', ...options);
    expect({ status, out }).toEqual({ status: 0, out: '[]\n[]\n' });
  });
});
