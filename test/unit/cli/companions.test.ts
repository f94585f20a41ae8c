/** The small programs: tcpundump, brctl's tables, doctor, install-aliases, pki, captures. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFdb, showBridges, showMacs } from '../../../src/cli/brctl/show.js';
import { examine, type Machine } from '../../../src/cli/doctor/checks.js';
import { offloadWarnings } from '../../../src/cli/doctor/offloads.js';
import { runInstallAliases } from '../../../src/cli/install-aliases/index.js';
import type { CliCommand } from '../../../src/cli/io.js';
import { runPki } from '../../../src/cli/pki/index.js';
import { parseTcpdump } from '../../../src/cli/tcpdump/options.js';
import { runTcpundump } from '../../../src/cli/tcpundump/index.js';
import {
  interfaceBlock,
  PcapReader,
  packetBlock,
  sectionHeader,
} from '../../../src/packet/pcapng.js';
import { MemoryIo } from '../../support/memory-io.js';

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tapswitch-companions-'));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function call(command: CliCommand, argv: string[], stdin = '', env: NodeJS.ProcessEnv = {}) {
  const io = new MemoryIo('prog', { ...process.env, ...env });
  const status = await command(argv, Object.assign(io, { stdin: Readable.from([stdin]) }));
  return { status, out: io.takeOut(), err: io.takeErr() };
}

describe('tcpundump', () => {
  it('joins the bytes of each packet', async () => {
    const dump = [
      '09:48:45.123456 IP 10.0.0.1 > 10.0.0.2: ICMP echo request',
      '\t0x0000:  0102 0304 0506 0708 090a 0b0c 0d0e 0f10',
      '\t0x0010:  1112 13',
      '09:48:45.223456 ARP',
      '\t0x0000:  ffff',
      '',
    ].join('\n');
    const { status, out } = await call(runTcpundump, [], dump);
    expect([status, out]).toEqual([0, '0102030405060708090a0b0c0d0e0f10111213\nffff\n']);
  });

  it('takes no file names', async () => {
    expect((await call(runTcpundump, ['x.txt'])).status).toBe(1);
  });
});

describe('brctl', () => {
  it('prints the columns that scripts cut', () => {
    const rows = [
      { name: 'br0', mac: '02aabbccddee', stp: false, ports: ['eth0', 'eth1'] },
      { name: 'br1', mac: '02aabbccddef', stp: true, ports: [] },
    ];
    expect(showBridges(rows)).toBe(
      'bridge name\tbridge id\t\tSTP enabled\tinterfaces\n' +
        'br0\t\t8000.02aabbccddee\tno\t\teth0\n\t\t\t\t\t\t\teth1\n' +
        'br1\t\t8000.02aabbccddef\tyes\t\t\n',
    );
  });

  it('prints learned and own addresses in order', () => {
    const fdb = ' port  VLAN  MAC                Age\n    2     0  50:54:00:00:00:02   12\n';
    const own = { port: 1, mac: '00:00:00:00:00:01', local: true, ageSec: 0 };
    expect(showMacs([...parseFdb(fdb), own])).toBe(
      'port no\tmac addr\t\tis local?\tageing timer\n' +
        '  1\t00:00:00:00:00:01\tyes\t\t   0.00\n' +
        '  2\t50:54:00:00:00:02\tno\t\t  12.00\n',
    );
  });
});

describe('doctor', () => {
  const healthy: Machine = {
    env: {},
    kernel: '6.8.0-31-generic',
    node: '20.19.0',
    read: () => null,
    list: () => [],
    writable: () => true,
    preflight: () => [],
  };
  const of = (machine: Partial<Machine>) =>
    examine({ ...healthy, ...machine }).filter(({ severity }) => severity !== 'ok');

  it('finds nothing wrong with a machine that has everything', () => {
    expect(of({})).toEqual([]);
  });

  it('names what is old, missing or in the way, and what to do', () => {
    const files: Record<string, string> = {
      '/proc/77/comm': 'ovs-vswitchd\n',
      '/sys/fs/cgroup/cpu.max': '50000 100000\n',
      '/sys/class/net/eth0/flags': '0x1003\n',
      '/sys/module/openvswitch/initstate': 'live\n',
      '/sys/module/openvswitch/refcnt': '2\n',
      '/proc/sys/net/core/bpf_jit_enable': '0\n',
    };
    const dirs: Record<string, string[]> = {
      '/proc': ['77', 'self'],
      '/sys/class/net': ['eth0'],
      '/sys/class/net/eth0/brport': ['state'],
    };
    const findings = of({
      kernel: '4.4.0',
      node: '18.1.0',
      read: (path) => files[path] ?? null,
      list: (path) => dirs[path] ?? [],
      preflight: () => [{ code: 'E_NO_TUN', message: 'no tun', hint: 'modprobe tun' }],
    });
    expect(findings.map(({ check, severity }) => `${severity} ${check}`)).toEqual([
      'problem kernel',
      'problem node',
      'problem tun',
      'warning other daemons',
      'warning kernel datapath',
      'warning sysctl',
      'warning cpu',
      'warning interfaces',
    ]);
    expect(findings.every(({ hint }) => hint !== undefined)).toBe(true);
  });

  it('reads what ethtool says of offloads', () => {
    const text = 'large-receive-offload: on\nrx-vlan-filter: off [fixed]\n';
    expect(offloadWarnings('eth0', text).map(({ hint }) => hint)).toEqual([
      'ethtool -K eth0 lro off',
    ]);
  });
});

describe('install-aliases', () => {
  const empty = { PATH: '/nonexistent' };

  it('makes links and takes them away again', async () => {
    const bin = join(dir, 'bin');
    const made = await call(runInstallAliases, [`--dir=${bin}`], '', empty);
    expect(made.out).toContain(`${bin}/ovs-pki -> tapswitch`);
    expect(lstatSync(join(bin, 'ovs-pki')).isSymbolicLink()).toBe(true);
    const again = await call(runInstallAliases, [`--dir=${bin}`], '', empty);
    expect(again.out).toContain(`${bin}/ovs-pki is there already`);
    expect((await call(runInstallAliases, [`--dir=${bin}`, '--remove'], '', empty)).status).toBe(0);
    expect(existsSync(join(bin, 'ovs-pki'))).toBe(false);
  });

  it('leaves other programs alone, wherever they are', async () => {
    const bin = join(dir, 'bin2');
    const real = join(dir, 'real');
    await call(runInstallAliases, [`--dir=${real}`], '', empty);
    rmSync(join(real, 'ovs-ofctl'));
    writeFileSync(join(real, 'ovs-ofctl'), '#!/bin/sh\n', { mode: 0o755 });
    const made = await call(runInstallAliases, [`--dir=${bin}`], '', { PATH: real });
    expect(made.status).toBe(1);
    expect(made.out).toContain(`ovs-ofctl: left alone, ${real}/ovs-ofctl is another program`);
    expect(existsSync(join(bin, 'ovs-ofctl'))).toBe(false);
    await call(runInstallAliases, [`--dir=${real}`, '--remove'], '', empty);
    expect(readFileSync(join(real, 'ovs-ofctl'), 'utf8')).toBe('#!/bin/sh\n');
  });
});

describe('install-aliases beside another tapswitch', () => {
  it('leaves its links alone unless forced to, and takes over what leads nowhere', async () => {
    const env = { PATH: '/nonexistent' };
    const bin = join(dir, 'bin3');
    const other = join(dir, 'other', 'tapswitch');
    mkdirSync(bin);
    mkdirSync(join(dir, 'other'));
    writeFileSync(other, '#!/bin/sh\n', { mode: 0o755 });
    symlinkSync(other, join(bin, 'ovs-pki'));
    symlinkSync(join(dir, 'gone', 'tapswitch'), join(bin, 'ovs-ofctl'));
    const made = await call(runInstallAliases, [`--dir=${bin}`], '', env);
    expect(made.status).toBe(1);
    expect(made.out).toContain(`ovs-pki: left alone, it leads to another tapswitch, ${other}`);
    expect(made.out).toContain(`${bin}/ovs-ofctl -> tapswitch`);
    await call(runInstallAliases, [`--dir=${bin}`, '--remove'], '', env);
    expect(readlinkSync(join(bin, 'ovs-pki'))).toBe(other);
    expect(existsSync(join(bin, 'ovs-vsctl'))).toBe(false);
    await call(runInstallAliases, [`--dir=${bin}`, '--force'], '', env);
    expect(readlinkSync(join(bin, 'ovs-pki'))).not.toBe(other);
  });
});

describe('pki', () => {
  const pki = (...argv: string[]) =>
    call(runPki, ['-d', join(dir, 'pki'), `-l${dir}/log`, ...argv]);
  const at = (name: string) => join(dir, name);

  it('makes authorities, signs, and verifies what it signed', async () => {
    expect(await pki('init')).toMatchObject({ status: 0 });
    await expect(pki('init')).rejects.toMatchObject({ code: 'E_PKI_EXISTS' });
    expect((await pki('req+sign', at('sc'), 'switch')).out).toMatch(/sc-req\.pem\t.*\n\tfingerpr/);
    expect(statSync(at('sc-privkey.pem')).mode & 0o777).toBe(0o600);
    const key = join(dir, 'pki', 'switchca', 'private', 'cakey.pem');
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect((await pki('verify', at('sc'), 'switch')).out).toBe(`${at('sc')}-cert.pem: OK\n`);
    expect((await pki('verify', at('sc'), '--host=sc')).status).toBe(0);
    const refused = { code: 'E_PKI_VERIFY' };
    await expect(pki('verify', at('sc'), 'controller')).rejects.toMatchObject(refused);
    await expect(pki('verify', at('sc'), '--host=other')).rejects.toThrow(/hostname mismatch/);
  }, 30_000);

  it('asks before it signs, unless told not to', async () => {
    await pki('req', at('ask'));
    const args = ['-d', join(dir, 'pki'), `-l${dir}/log`];
    expect((await call(runPki, [...args, 'sign', at('ask')], 'no\n')).status).toBe(1);
    expect(existsSync(at('ask-cert.pem'))).toBe(false);
    expect((await call(runPki, [...args, 'sign', at('ask')], 'yes\n')).status).toBe(0);
    expect(existsSync(at('ask-cert.pem'))).toBe(true);
    await expect(pki('-b', 'sign', at('ask'))).rejects.toMatchObject({ code: 'E_PKI_EXISTS' });
    await pki('req', at('self'));
    expect((await pki('self-sign', at('self'))).status).toBe(0);
    expect((await pki('fingerprint', at('self-cert.pem'))).out).toMatch(/fingerprint [0-9A-F]{40}/);
  }, 30_000);

  it('says what is wrong with a command line', async () => {
    await expect(pki('-k', 'ec', 'init')).rejects.toMatchObject({ code: 'E_PKI_OPTION' });
    await expect(pki('-B', '512', 'init')).rejects.toMatchObject({ code: 'E_PKI_OPTION' });
    await expect(pki('sign', at('none'), 'router', '-b')).rejects.toMatchObject({
      code: 'E_PKI_MISSING',
    });
    await expect(call(runPki, ['-d', at('nopki'), 'req+sign', at('x')])).rejects.toMatchObject({
      code: 'E_PKI_DIR',
    });
    expect((await pki('frobnicate')).status).toBe(1);
  }, 30_000);
});

describe('tcpdump', () => {
  it('keeps its own options and passes on the rest', () => {
    expect(parseTcpdump(['p1', '-n', '-w', 'x.pcapng', '-c', '5', 'udp', 'port', '53'])).toEqual({
      ...{ subject: 'p1', span: false, drops: null, mirrorTo: null, dumpCommand: 'tcpdump' },
      ...{ pcapng: 'x.pcapng', rest: ['-n', '-c', '5', 'udp', 'port', '53'] },
    });
    expect(parseTcpdump(['-i', 'br0', '--span', '-w', 'x.pcap'])).toMatchObject({
      ...{ subject: 'br0', span: true, pcapng: null, rest: ['-w', 'x.pcap'] },
    });
    expect(parseTcpdump(['--drops', '-w', 'x.pcapng', '-c', '5'])).toMatchObject({
      ...{ drops: { count: '5', seconds: '10' }, pcapng: 'x.pcapng' },
    });
    expect(() => parseTcpdump(['--drops'])).toThrow(/needs -w/);
    expect(() => parseTcpdump([])).toThrow(/which port/);
    expect(() => parseTcpdump(['p1', '--mirror-to=much-too-long-a-name'])).toThrow(/cannot be/);
  });

  it('reads a pcap in pieces of any size', () => {
    const packet = fc.record({
      timeNs: fc.bigInt({ min: 0n, max: 4_000_000_000n * 1_000_000_000n }),
      data: fc.uint8Array({ maxLength: 200 }),
    });
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 8 }),
        fc.integer({ min: 1, max: 60 }),
        (list, n) => {
          const head = Buffer.alloc(24);
          head.writeUInt32LE(0xa1b23c4d, 0);
          const records = list.map(({ timeNs, data }) => {
            const record = Buffer.alloc(16);
            record.writeUInt32LE(Number(timeNs / 1_000_000_000n), 0);
            record.writeUInt32LE(Number(timeNs % 1_000_000_000n), 4);
            record.writeUInt32LE(data.length, 8);
            record.writeUInt32LE(data.length, 12);
            return Buffer.concat([record, data]);
          });
          const stream = Buffer.concat([head, ...records]);
          const reader = new PcapReader();
          const got = [];
          for (let at = 0; at < stream.length; at += n) {
            got.push(...reader.push(stream.subarray(at, at + n)));
          }
          expect(got.map(({ timeNs, data }) => [timeNs, [...data]])).toEqual(
            list.map(({ timeNs, data }) => [timeNs, [...data]]),
          );
        },
      ),
    );
    expect(() => new PcapReader().push(Buffer.alloc(24))).toThrow(/no pcap/);
  });

  it('writes blocks whose lengths agree at both ends', () => {
    const data = Uint8Array.of(1, 2, 3);
    const packet = { timeNs: 5n, data, length: 1500 };
    for (const block of [
      sectionHeader('x'),
      interfaceBlock('p1', 'a port', 65_535),
      packetBlock(packet),
      packetBlock(packet, 0, 'dropped: meter'),
    ]) {
      expect(block.length % 4).toBe(0);
      expect(block.readUInt32LE(4)).toBe(block.length);
      expect(block.readUInt32LE(block.length - 4)).toBe(block.length);
    }
  });
});
