/** `--json` behind commands that print text. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { CliIo } from '../../../src/cli/io.js';
import { flowOf, resultOf, runAsJson, takeJsonFlag } from '../../../src/cli/json-output.js';
import { Progress } from '../../../src/cli/progress.js';

function io(): CliIo & { stdout: PassThrough; stderr: PassThrough } {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  return { stdout, stderr, stdin: new PassThrough(), env: {}, programName: 'x' };
}

async function printed(argv: string[], run: (io: CliIo) => number) {
  const outer = io();
  await runAsJson('ofctl', argv, outer, async (_argv, inner) => run(inner));
  outer.stdout.end();
  return (await text(outer.stdout))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('--json', () => {
  it('is taken from commands that have none of their own, and not from behind --', () => {
    expect(takeJsonFlag('ofctl', ['show', 'br0', '--json'])).toEqual(['show', 'br0']);
    expect(takeJsonFlag('ofctl', ['show', '--', '--json'])).toBeNull();
    expect(takeJsonFlag('trace', ['--json'])).toBeNull();
    expect(takeJsonFlag('vsctl', ['show'])).toBeNull();
  });

  it('gives lines, errors and the status', async () => {
    const answer = await printed(['show', 'br0'], ({ stdout, stderr }) => {
      stdout.write('one\ntwo\n');
      stderr.write('ouch\n');
      return 3;
    });
    expect(answer).toEqual([
      {
        ...{ command: 'ofctl', arguments: ['show', 'br0'], status: 3 },
        ...{ result: ['one', 'two'], errors: ['ouch'] },
      },
    ]);
  });

  it('gives the lines of what does not end one by one', async () => {
    const answer = await printed(['monitor', 'br0'], ({ stdout }) => {
      stdout.write('one\ntw');
      stdout.write('o\n');
      return 0;
    });
    expect(answer.slice(0, 2)).toEqual([{ line: 'one' }, { line: 'two' }]);
    expect(answer[2]).toMatchObject({ status: 0, errors: [] });
  });

  it('reads flows', () => {
    const line =
      ' cookie=0x1f, duration=5.274s, table=2, n_packets=23, n_bytes=1866, idle_timeout=10, ' +
      'send_flow_rem priority=7,ip,nw_dst=10.0.0.1 actions=mod_vlan_vid:5,output:2';
    expect(flowOf(line)).toMatchObject({
      ...{ cookie: '0x1f', duration: 5.274, table: 2, n_packets: 23, priority: 7 },
      actions: 'mod_vlan_vid:5,output:2',
    });
    expect(
      flowOf(' cookie=0x0, duration=1s, table=0, n_packets=0, n_bytes=0, actions=NORMAL'),
    ).toEqual({
      ...{ cookie: '0x0', duration: 1, table: 0, n_packets: 0, n_bytes: 0 },
      ...{ match: '', actions: 'NORMAL' },
    });
  });

  it('reads ports, and JSON as it is', () => {
    const ports =
      'OFPST_PORT reply (xid=0x2): 1 ports\n' +
      '  port  1: rx pkts=5, bytes=300, drop=0, errs=0, frame=?, over=0, crc=0\n' +
      '           tx pkts=7, bytes=420, drop=1, errs=0, coll=0\n';
    expect(resultOf('ofctl', ['dump-ports', 'br0'], ports)).toEqual([
      expect.objectContaining({ port: '1', rx_pkts: 5, rx_frame: '?', tx_pkts: 7, tx_drop: 1 }),
    ]);
    const table =
      '{"headings":["name","ports","ids"],' +
      '"data":[["br0",["set",[["uuid","1-2"],["uuid","3-4"]]],["map",[["a","b"]]]]]}';
    const rows = [{ name: 'br0', ports: ['1-2', '3-4'], ids: { a: 'b' } }];
    expect(resultOf('vsctl', ['list', 'Bridge'], `${table}\n`)).toEqual(rows);
    expect(resultOf('ovsdb', ['dump'], `${table}\n${table}\n`)).toEqual([rows, rows]);
    expect(resultOf('appctl', ['bond/status'], '[{"a":1}]\n')).toEqual([{ a: 1 }]);
  });
});

describe('progress', () => {
  it('is one line on a terminal, gone at the end', async () => {
    const outer = io();
    Object.assign(outer.stderr, { isTTY: true });
    outer.hints = true;
    let now = 0;
    const progress = new Progress(outer, 200, 'flows', () => now);
    progress.step(1);
    now = 300;
    progress.step(100);
    progress.end();
    outer.stderr.end();
    expect(await text(outer.stderr)).toBe('\r\x1b[K100 of 200 flows, 50 %\r\x1b[K');
  });

  it('is silent elsewhere', async () => {
    const outer = io();
    outer.hints = true;
    let now = 0;
    const progress = new Progress(outer, 2, 'flows', () => now);
    now = 1000;
    progress.step(1);
    progress.end();
    outer.stderr.end();
    expect(await text(outer.stderr)).toBe('');
  });
});
