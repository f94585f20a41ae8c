/**
 * Commands of ovs-ofctl that talk to no switch, with what they read, through Debian's and ours: the
 * same text and the same status. And that no command is left without a comparison.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { must, run } from '../support/command.js';
import { runOurOfctl } from '../support/ofctl-io.js';
import { OFCTL_STEPS } from '../support/ofctl-steps.js';

const NX_MATCHES = `NXM_OF_IN_PORT(0001), NXM_OF_ETH_TYPE(0800)
NXM_OF_ETH_DST_W(01000a000001/01ffffffffff)
NXM_NX_REG0_W(a0e0d050/f0e0d0c0), NXM_NX_TUN_METADATA0(12345678)
NXM_NX_TUN_ID(00000000abcdef01)
NXM_OF_ETH_TYPE(894f), NXOXM_NSH_SPI(00123456), NXOXM_NSH_C1_W(00000010/000000f0)
NXM_NX_COOKIE(00000000abcdef01)
NXM_OF_VLAN_TCI_W(1123/1fff)
nonsense(00)
`;
const OXM_MATCHES = `OXM_OF_IN_PORT(00000001), OXM_OF_METADATA_W(0000000000000005/00000000000000ff)
OXM_OF_ETH_TYPE(0800), OXM_OF_IPV4_SRC_W(c0a88000/ffff0000), OXM_OF_IP_PROTO(06)
OXM_OF_ETH_TYPE(86dd), OXM_OF_IPV6_FLABEL(0000000f)
OXM_OF_VLAN_VID(1009), OXM_OF_VLAN_PCP(01)
`;
const ACTIONS = `0000 0008 0001 04d2
ffff 0018 00002320 0007 001f 00010004 000000000000f009
ffff 0018 00002320 0032 0001647c 00000000 00000000 0000
0000 0010 0001 04d2 0000 0000 0000 0000
`;
const INSTRUCTIONS = `0004 0018 00000000 0000 0010 00000002 0000000000000000
0001 0008 01 000000
0002 0018 00000000 fedcba9876543210 ffffffffffffffff
0005 0008 00000000
0003 0009
`;
const MATCHES10 = `\
003820fe xxxx xxxxxxxxxxxx xxxxxxxxxxxx xxxx xx xx xxxx xx xx xxxx xxxxxxxx xxxxxxxx dnl
xxxx xxxx
0000000f 0001 000000000001 000000000002 0000 00 00 0806 dnl
04 00 0000 00000000 00000000 0000 0000
`;
const MATCHES11 = `0000 0058 00000000 000003ff 000000000000ffffffffffff 000000000000ffffffffffff dnl
0000 00 00 0000 00 00 00000000ffffffff 00000000ffffffff 0000 0000 00000000 00 000000 dnl
0000000000000000ffffffffffffffff
`;
const PACKET =
  '50540000000a505400000009894f1fc60103123456070000001100000022000000330000004400000000\n';

const oneLine = (text: string): string => text.replaceAll(' dnl\n', ' ');

const CASES: [argv: string[], input: string][] = [
  [['parse-nx-match'], NX_MATCHES],
  [['parse-nxm'], NX_MATCHES],
  [['--strict', 'parse-nx-match'], NX_MATCHES],
  [['parse-oxm', 'OpenFlow12'], OXM_MATCHES],
  [['parse-oxm', 'OpenFlow13'], OXM_MATCHES],
  [['--strict', 'parse-oxm', 'OpenFlow15'], OXM_MATCHES],
  [['parse-actions', 'OpenFlow10'], ACTIONS],
  [['parse-actions', 'OpenFlow13'], ACTIONS],
  [['parse-instructions', 'OpenFlow11'], INSTRUCTIONS],
  [['parse-instructions', 'OpenFlow13'], INSTRUCTIONS],
  [['parse-ofp10-match'], oneLine(MATCHES10.replaceAll('x', '0'))],
  [['parse-ofp11-match'], oneLine(MATCHES11)],
  [['parse-packet'], PACKET],
  [['parse-flows', 'FLOWS'], ''],
  [['-F', 'nxm', 'parse-flows', 'FLOWS'], ''],
  [['-O', 'OpenFlow13', '-m', 'parse-flows', 'FLOWS'], ''],
  [['ofp-parse', 'STREAM'], ''],
  [['ofp-parse', 'SHORT'], ''],
  [['ofp-parse', 'LENGTH'], ''],
  [['parse-pcap', 'PCAP'], ''],
];

const FLOWS = `tcp,tp_src=123,actions=flood
in_port=LOCAL dl_vlan=9 actions=drop
tun_metadata3=0x1234/0xfff0,actions=set_field:0x12->tun_metadata5
dl_type=0x894f,nsh_mdtype=1,nsh_si=7,nsh_c1=5,actions=drop
priority=3,dl_vlan=0xffff,actions=resubmit(1,2),multipath(eth_src,50,hrw,12,0,reg0[0..3])
`;

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tapswitch-ofctl-'));
  const packet = Buffer.from(PACKET.trim(), 'hex');
  const header = 'd4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000 00000000 00000000';
  const size = Buffer.alloc(8);
  size.writeUInt32LE(packet.length, 0);
  size.writeUInt32LE(packet.length, 4);
  const pcap = Buffer.concat([Buffer.from(header.replaceAll(' ', ''), 'hex'), size, packet]);
  const stream = '0100000800000001 0105000800000002 0412000800000003 0112000800000004';
  await writeFile(join(directory, 'FLOWS'), FLOWS);
  await writeFile(join(directory, 'PCAP'), pcap);
  await writeFile(join(directory, 'SHORT'), Buffer.from('010000080000000101', 'hex'));
  await writeFile(join(directory, 'LENGTH'), Buffer.from('010000070000000101', 'hex'));
  await writeFile(join(directory, 'STREAM'), Buffer.from(stream.replaceAll(' ', ''), 'hex'));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

describe('what commands make of their input', () => {
  it.each(CASES.map(([argv, input]) => [argv.join(' '), argv, input] as const))(
    '%s',
    async (_, argv, input) => {
      const args = ['-vconsole:off', ...argv].map((word) =>
        /^[A-Z]{4,}$/.test(word) ? join(directory, word) : word,
      );
      const theirs = await run(['ovs-ofctl', ...args], { input });
      const ours = await runOurOfctl(args, process.env, input);
      expect(ours).toEqual(theirs);
      expect(theirs.stdout + theirs.stderr).not.toBe('');
    },
  );
});

/** Compared elsewhere, or waiting for what does not come here. */
const ELSEWHERE = new Set([
  // ofctl-syntax.test.ts
  'parse-flow',
  // Describes itself, each program in its own words.
  'help',
  // Waits for a controller: ofctl-monitor.test.ts.
  'snoop',
]);

it('every command that ovs-ofctl has is among those compared', async () => {
  const listed = await must(['ovs-ofctl', 'list-commands']);
  const commands = listed.split('\n').flatMap((line) => /^ {2}(\S+)/.exec(line)?.[1] ?? []);
  expect(commands.length).toBeGreaterThan(60);
  const words = new Set([
    ...OFCTL_STEPS.flatMap((s) => s.split(' ')),
    ...CASES.flatMap(([a]) => a),
  ]);
  expect(commands.filter((name) => !words.has(name) && !ELSEWHERE.has(name))).toEqual([]);
});
