/**
 * Mininet's own `mn`, unmodified, with its user space switch being ours: it configures everything
 * through ovs-vsctl, and waits for its controller to be connected.
 *
 * Mininet cleans up by names of processes, and in /tmp: it runs in mount, network and process
 * namespaces of its own. Its iperf test waits for a line of iperf's server about the connection
 * that looked whether the server listens; iperf 2.1 prints none, on any switch and on the loopback
 * too, so the test's `iperf` prints it.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/command.js';
import { CAPTURE_FILTER, dissectOpenFlow } from '../support/openflow-sniffer.js';
import { projectRoot, tapswitchBin } from '../support/switch.js';

/** $1: tapswitch, $2: directory of this test, then mn's arguments. */
const SCRIPT = `
set -e
bin=$1; dir=$2; shift 2
mount --bind $dir /mnt
# A /tmp that has the directories of the real one, and none of its files.
mount --bind /tmp /media
mount -t tmpfs none /tmp
for each in /media/*/; do
  name=$(basename "$each"); mkdir "/tmp/$name"; mount --bind "/media/$name" "/tmp/$name"
done
mount -t tmpfs none /run
mount -t tmpfs none /var/log
mkdir -p /run/openvswitch /run/netns
mount -t sysfs sysfs /sys
ip link set lo up
export NODE_OPTIONS= PATH=/mnt/bin:/usr/sbin:/usr/bin:/sbin:/bin
"$NODE" $bin start >/mnt/switch.log 2>&1 &
daemon=$!
for i in $(seq 40); do ovs-vsctl -t 2 show >/dev/null 2>&1 && break; sleep 0.25; done
dumpcap -q -P -i lo -f "$FILTER" -w "/mnt/$NAME.pcap" 2>/mnt/dumpcap.log &
dumpcap=$!
for i in $(seq 40); do grep -q File: /mnt/dumpcap.log && break; sleep 0.25; done
status=0
timeout 80 /usr/bin/python3 /usr/bin/mn "$@" 2>&1 || status=$?
# What the kernel has captured last is handed over.
sleep 1; kill -INT $dumpcap; wait $dumpcap || true
kill $daemon; wait $daemon || true
exit $status
`;

/** For the server: the line about a connection without data that iperf 2.0 printed. */
const IPERF = `#!/bin/sh
case " $* " in *" -s "*) echo '[  0] 0.0- 0.0 sec  0.00 Bytes  0.00 bits/sec';; esac
exec /usr/bin/iperf "$@"
`;

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tapswitch-mininet-'));
  await mkdir(join(dir, 'bin'));
  // Mininet looks for a controller by this name: ours stands in.
  // tshark 4.0 cannot read the matches of OpenFlow 1.5, whose ever they are: 1.3 is spoken.
  const program = `"${process.execPath}" "${tapswitchBin}" controller -O OpenFlow13`;
  const controller = `#!/bin/sh\nexec ${program} "$@"\n`;
  const scripts = { 'bin/iperf': IPERF, 'bin/ovs-testcontroller': controller, run: SCRIPT };
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(dir, name), text);
    await chmod(join(dir, name), 0o755);
  }
});

afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs mn with a test of its own; tshark must find nothing malformed in what our switch said. */
async function mn(test: string): Promise<string> {
  const unshare = ['unshare', '-m', '-n', '-p', '-f', '--mount-proc', '--propagation', 'private'];
  const names = { NODE: process.execPath, NAME: test, FILTER: CAPTURE_FILTER };
  const env = { ...process.env, ...names };
  const switched = ['--switch', 'ovs,datapath=user', '--topo', 'single,3'];
  const command = ['bash', join(dir, 'run'), tapswitchBin, dir, ...switched, '--test', test];
  const done = await run([...unshare, ...command], { env, cwd: projectRoot, timeoutMs: 110_000 });
  expect(done.status, `${done.stdout}${done.stderr}`).toBe(0);
  const { segments, faults } = await dissectOpenFlow(join(dir, `${test}.pcap`));
  expect(segments).toBeGreaterThan(5);
  expect(faults).toEqual([]);
  return done.stdout;
}

describe('mn --switch ovs,datapath=user', () => {
  it('--test pingall reaches everybody', async () => {
    const text = await mn('pingall');
    expect(text).toContain('*** Results: 0% dropped (6/6 received)');
  }, 120_000);

  it('--test iperf gives a figure', async () => {
    const text = await mn('iperf');
    const [, server] = /\*\*\* Results: \['([\d.]+) [GM]bits\/sec',/.exec(text) ?? [];
    expect(Number(server)).toBeGreaterThan(0);
  }, 120_000);
});
