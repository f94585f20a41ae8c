/**
 * Queues of a port as ovs-ofctl tells of them, at OpenFlow 1.0, 1.3, 1.4 and 1.5: of our switch
 * what it prints of Open vSwitch, on veth devices with the same QoS. Counters and times aside.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, run } from '../support/command.js';
import { Lab } from '../support/lab.js';
import { Namespace } from '../support/netns.js';
import { COMPARED_VERSIONS } from '../support/ofctl-steps-versions.js';
import { OvsPeer } from '../support/ovs-peer.js';
import { userspaceBridge } from '../support/switch.js';

const COMMANDS = ['queue-stats', 'queue-get-config'].flatMap((command) =>
  ['', '1', '1 0', '1 5', '1 7', '2', '2 0', '9', 'LOCAL', 'p1'].map((rest) =>
    `${command} br0 ${rest}`.trim(),
  ),
);

let lab: Lab;
let theirs: OvsPeer;

type Configure = (...args: string[]) => Promise<string>;

/** A bridge with two ports, the first of them with two queues. */
async function configure(namespace: Namespace, vsctl: Configure, more: string[]): Promise<void> {
  for (const i of [1, 2]) {
    await namespace.ip('link', 'add', `p${i}`, 'type', 'veth', 'peer', 'name', `x${i}`);
    for (const device of [`p${i}`, `x${i}`]) await namespace.ip('link', 'set', device, 'up');
  }
  const port = (i: number): string[] => [
    ...['--', 'add-port', 'br0', `p${i}`, '--', 'set', 'interface', `p${i}`, `ofport_request=${i}`],
  ];
  const queue = (name: string, rate: number): string[] => [
    ...['--', `--id=@${name}`, 'create', 'queue', `other_config:min-rate=${rate}`],
  ];
  const qos = ['type=linux-htb', 'other_config:max-rate=10000000', 'queues=0=@a,5=@b'];
  const versions = COMPARED_VERSIONS.join();
  await vsctl('add-br', 'br0', ...more, '--', 'set', 'bridge', 'br0', `protocols=${versions}`);
  await vsctl('set', 'bridge', 'br0', 'fail_mode=secure', ...port(1), ...port(2));
  const set = ['set', 'port', 'p1', 'qos=@q', '--', '--id=@q', 'create', 'qos', ...qos];
  await vsctl(...set, ...queue('a', 1_000_000), ...queue('b', 2_000_000));
}

beforeAll(async () => {
  lab = await Lab.start();
  const namespace = await Namespace.make('theirs');
  lab.onClose('namespace of Open vSwitch', () => namespace.remove());
  theirs = await OvsPeer.start(namespace);
  lab.onClose('Open vSwitch', () => theirs.remove());
  await configure(lab.namespace, (...args) => lab.sw.vsctl(...args), userspaceBridge('br0'));
  const netdev = ['--', 'set', 'bridge', 'br0', 'datapath_type=netdev'];
  await configure(namespace, (...args) => theirs.vsctl(...args), netdev);
  const ofctl = (...args: string[]) => lab.sw.ovsTool('ofctl', ...args);
  for (const each of [ofctl, (...args: string[]) => theirs.ofctl(...args)]) {
    await eventually('the queues', async () =>
      (await each('-O', 'OpenFlow13', 'queue-stats', 'br0', '1')).includes('queue 5'),
    );
  }
}, 60_000);

afterAll(() => lab?.close());

const plain = (text: string): string =>
  text.replace(/\b(bytes|pkts)=\d+/g, '$1=N').replace(/duration=[\d.]+s/g, 'duration=N');

describe.each(COMPARED_VERSIONS)('%s', (version) => {
  it.each(COMMANDS)('%s', async (command) => {
    const argv = ['ovs-ofctl', '-O', version, ...command.split(' ')];
    const [expected, got] = await Promise.all(
      [theirs.env, lab.sw.environment].map((env) => run(argv, { env })),
    );
    expect(plain(got.stdout + got.stderr)).toBe(plain(expected.stdout + expected.stderr));
    expect(got.status).toBe(expected.status);
  });
});
