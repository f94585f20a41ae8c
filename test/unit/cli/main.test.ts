/** `tapswitch` itself: help, version, names, and what is no command. */
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../../../src/cli/commands.js';
import { run } from '../../../src/cli/main.js';
import { MemoryIo } from '../../support/memory-io.js';

async function tapswitch(program: string, ...argv: string[]) {
  const ios: MemoryIo[] = [];
  const status = await run(program, argv, (name) => {
    const io = new MemoryIo(name, { OVS_RUNDIR: '/nonexistent' });
    ios.push(io);
    return io;
  });
  const out = ios.map((io) => io.takeOut()).join('');
  const err = ios.map((io) => io.takeErr()).join('');
  return { status, out, err };
}

describe('tapswitch', () => {
  it('--help names every command', async () => {
    const { status, out } = await tapswitch('tapswitch', '--help');
    expect(status).toBe(0);
    const squeezed = out.replace(/ +/g, ' ');
    for (const { name, summary } of COMMANDS) expect(squeezed).toContain(` ${name} ${summary}\n`);
  });

  it('--version prints the version of the package', async () => {
    const { status, out } = await tapswitch('tapswitch', '--version');
    expect(status).toBe(0);
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('suggests the command that was meant', async () => {
    const { status, err } = await tapswitch('tapswitch', 'vsclt', 'show');
    expect(status).toBe(1);
    expect(err).toBe("tapswitch: unknown command 'vsclt'\n(Did you mean vsctl?)\n");
  });

  it.each([
    ['vsclt', '--help'],
    ['help', 'vsclt'],
    ['vsclt', '-h'],
    ['vsclt', '--version'],
  ])('%s %s is wrong, too', async (...argv) => {
    const { status, out, err } = await tapswitch('tapswitch', ...argv);
    expect([status, out]).toEqual([1, '']);
    expect(err).toBe("tapswitch: unknown command 'vsclt'\n(Did you mean vsctl?)\n");
  });

  it('tells where to look when nothing is like the command', async () => {
    const { status, err } = await tapswitch('tapswitch', 'bogus', '--help');
    expect(status).toBe(1);
    expect(err).toBe(
      "tapswitch: unknown command 'bogus'\n  hint: 'tapswitch --help' lists the commands\n",
    );
  });

  it('without a command shows help, and fails', async () => {
    const { status, err } = await tapswitch('tapswitch');
    expect(status).toBe(1);
    expect(err).toContain('Usage: tapswitch COMMAND');
  });

  it('help COMMAND is COMMAND --help', async () => {
    const { status, out } = await tapswitch('tapswitch', 'help', 'appctl');
    expect(status).toBe(0);
    expect(out).toContain('usage: ovs-appctl [TARGET] COMMAND');
  });

  it('hands a command its arguments untouched', async () => {
    const { status, err } = await tapswitch('tapswitch', 'appctl', '--version', '--', 'x');
    expect([status, err]).toEqual([0, '']);
    const wrong = await tapswitch('tapswitch', 'appctl', '--nonsense');
    expect(wrong).toMatchObject({
      status: 1,
      err: "ovs-appctl: unrecognized option '--nonsense'\n",
    });
  });

  it('is the program under whose name it was started', async () => {
    const { status, err } = await tapswitch('ovs-appctl', 'version');
    expect(status).toBe(1);
    expect(err).toBe(
      'ovs-appctl: cannot read pidfile "/nonexistent/ovs-vswitchd.pid" ' +
        '(No such file or directory)\n',
    );
    const version = await tapswitch('ovs-dpctl', '-V');
    expect(version.out).toMatch(/^ovs-dpctl \(Open vSwitch\) 3\.1\.1\n/);
  });
});
