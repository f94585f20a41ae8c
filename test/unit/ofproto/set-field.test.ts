/** Actions that change header fields, as translation carries them out. */
import { describe, expect, it } from 'vitest';
import { parseFlow } from '../../../src/openflow/syntax/flow-parse.js';
import { NO_NAMES } from '../../../src/openflow/syntax/names.js';
import { arp, TestSwitch, udp } from './support/bridge.js';

const H1 = '50:54:00:00:00:01';
const H2 = '50:54:00:00:00:02';

function run(flow: string, packet: Uint8Array): string {
  const sw = new TestSwitch();
  const br = sw.bridge('br0');
  for (const name of ['p1', 'p2']) sw.port(br, name);
  br.flowMod(parseFlow(flow, 'add', NO_NAMES).flow);
  return sw.send(1, packet);
}

describe('mod_tp_src and mod_tp_dst', () => {
  const actions = 'actions=mod_tp_src:12345,mod_tp_dst:6789,output:2';

  it('change the ports of UDP, which OpenFlow 1.0 does not name', () => {
    expect(run(actions, udp(H2, H1))).toBe('set(udp(src=12345,dst=6789)),2');
  });

  it('leave packets without ports alone', () => {
    expect(run(actions, arp(1, H1, 1, 2))).toBe('2');
  });
});
