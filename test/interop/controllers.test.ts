/**
 * Controllers of all kinds drive real hosts through the switch: our own with a switch that has no
 * database, and an application of os-ken with one that has.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Authority } from '../support/certificates.js';
import { type BackgroundProcess, eventually, run } from '../support/command.js';
import { type Host, Lab } from '../support/lab.js';
import { python, tapswitchBin } from '../support/switch.js';

const FIRST = '10.1.1.1';
const SECOND = '10.1.1.2';

/** Learns stations and sets flows up, as the tutorial's application does. */
const OS_KEN_APP = `
from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_3


class Learn(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ports = {}

    def add(self, dp, priority, match, port):
        parser, ofp = dp.ofproto_parser, dp.ofproto
        out = [parser.OFPActionOutput(port, ofp.OFPCML_NO_BUFFER)]
        apply = [parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, out)]
        dp.send_msg(parser.OFPFlowMod(datapath=dp, priority=priority, match=match,
                                      instructions=apply))

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def up(self, ev):
        dp = ev.msg.datapath
        self.add(dp, 0, dp.ofproto_parser.OFPMatch(), dp.ofproto.OFPP_CONTROLLER)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def packet(self, ev):
        msg, dp = ev.msg, ev.msg.datapath
        parser, ofp = dp.ofproto_parser, dp.ofproto
        eth = packet.Packet(msg.data).get_protocol(ethernet.ethernet)
        in_port = msg.match['in_port']
        self.ports[eth.src] = in_port
        port = self.ports.get(eth.dst, ofp.OFPP_FLOOD)
        if port != ofp.OFPP_FLOOD:
            match = parser.OFPMatch(in_port=in_port, eth_src=eth.src, eth_dst=eth.dst)
            self.add(dp, 1, match, port)
        dp.send_msg(parser.OFPPacketOut(
            datapath=dp, buffer_id=ofp.OFP_NO_BUFFER, in_port=in_port,
            actions=[parser.OFPActionOutput(port)], data=msg.data))
`;

let lab: Lab;
let first: Host;

async function twoHosts(): Promise<void> {
  first = await lab.addHost('h1', { port: 'p1', addresses: [`${FIRST}/24`] });
  await lab.addHost('h2', { port: 'p2', addresses: [`${SECOND}/24`] });
}

describe('our controller and a switch without database', () => {
  let processes: BackgroundProcess[] = [];

  beforeEach(async () => {
    lab = await Lab.open();
    await twoHosts();
  }, 30_000);

  afterEach(async () => {
    for (const each of processes) await each.stop();
    processes = [];
    await lab.close();
  });

  const start = (...argv: string[]): BackgroundProcess => {
    const env = { ...lab.sw.environment };
    const started = lab.namespace.start([tapswitchBin, ...argv], { env });
    processes.push(started);
    return started;
  };

  const ofctl = async (...argv: string[]): Promise<string> => {
    const { stdout } = await run(['ovs-ofctl', ...argv], { env: lab.sw.environment });
    return stdout;
  };

  it.each(['OpenFlow10', 'OpenFlow13', 'OpenFlow14', 'OpenFlow15'])(
    '%s',
    async (version) => {
      start('controller', 'ptcp:6653:127.0.0.1');
      const sw = start(
        ...['openflowd', 'br0', 'tcp:127.0.0.1:6653', '--ports=p1,p2', '--fail=secure'],
        ...['-O', version, '--datapath-id=00000000000000aa'],
      );
      await eventually(
        'hosts to reach each other',
        async () => (await first.ping(SECOND, 1)) === 1,
      );
      expect(await first.ping(SECOND, 3)).toBe(3);
      expect(await ofctl('-O', version, 'show', 'br0')).toContain('dpid:00000000000000aa');
      const flows = await ofctl('-O', version, '--no-stats', 'dump-flows', 'br0');
      expect(
        flows.match(/idle_timeout=60, priority=1,in_port=[12],.* actions=output:[12]/g),
      ).toHaveLength(2);
      expect(await sw.stop()).toBe(0);
      expect(await lab.namespace.hasLink('br0')).toBe(false);
    },
    40_000,
  );

  it('over TLS, by a port of the bridge itself', async () => {
    const files = await mkdtemp(join(tmpdir(), 'tapswitch-openflowd-'));
    lab.onClose('keys', () => rm(files, { recursive: true, force: true }));
    const authority = await Authority.make(files, 'ca');
    const keys = async (name: string): Promise<string[]> => {
      const { key, certificate } = await authority.issue(name);
      return ['-p', key, '-c', certificate, '-C', authority.certificate];
    };
    first.namespace.start([tapswitchBin, 'controller', ...(await keys('ctl')), 'pssl:6653']);
    start(
      ...['openflowd', 'br0', `ssl:${FIRST}:6653`, '--ports=p1,p2', '--fail=secure', '--in-band'],
      ...(await keys('switch')),
    );
    await eventually('the bridge', () => lab.namespace.hasLink('br0'));
    await lab.namespace.ip('addr', 'add', '10.1.1.9/24', 'dev', 'br0');
    await lab.namespace.ip('link', 'set', 'br0', 'up');
    const reached = async (): Promise<boolean> => (await first.ping(SECOND, 1)) === 1;
    await eventually('hosts to reach each other', reached, 20_000);
  }, 40_000);

  it('without a controller it switches by itself, and secure ones do not', async () => {
    const open = start('openflowd', 'br0', '--ports=p1,p2');
    await eventually('hosts to reach each other', async () => (await first.ping(SECOND, 1)) === 1);
    await open.stop();
    start('openflowd', 'br0', '--ports=p1,p2', '--fail=secure');
    await eventually('the bridge to answer', async () => (await ofctl('show', 'br0')) !== '');
    expect(await first.ping(SECOND, 2)).toBe(0);
  }, 40_000);
});

describe('an application of os-ken', () => {
  let files: string;

  beforeAll(async () => {
    files = await mkdtemp(join(tmpdir(), 'tapswitch-osken-'));
    await writeFile(join(files, 'learn.py'), OS_KEN_APP);
    lab = await Lab.start();
    await twoHosts();
    const manager = '/usr/bin/osken-manager';
    lab.namespace.start([
      python,
      manager,
      '--ofp-listen-host',
      '127.0.0.1',
      join(files, 'learn.py'),
    ]);
    await lab.sw.addBridge('br0');
    await lab.sw.vsctl('set', 'bridge', 'br0', 'fail_mode=secure', 'protocols=OpenFlow13');
    for (const port of ['p1', 'p2']) await lab.sw.vsctl('add-port', 'br0', port);
    await lab.sw.vsctl('set-controller', 'br0', 'tcp:127.0.0.1:6653');
  }, 60_000);

  afterAll(async () => {
    await lab?.close();
    if (files !== undefined) await rm(files, { recursive: true, force: true });
  });

  it('makes hosts reach each other by flows that it installs', async () => {
    const connected = async (): Promise<boolean> =>
      (await lab.sw.vsctl('get', 'Controller', 'br0', 'is_connected')).trim() === 'true';
    await eventually('the controller to be connected', connected, 20_000);
    await eventually('hosts to reach each other', async () => (await first.ping(SECOND, 1)) === 1);
    const flows = await lab.sw.ofctl('-O', 'OpenFlow13', '--no-stats', 'dump-flows', 'br0');
    expect(flows).toMatch(/priority=1,in_port=1,dl_src=.*,dl_dst=.* actions=output:2/);
    expect(flows).toMatch(/priority=0 actions=CONTROLLER:65535/);
    expect(await first.ping(SECOND, 5)).toBe(5);
  }, 60_000);
});
