/** What an sFlow agent tells of settings that make no sense. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WarpClock } from '../../../src/common/clock.js';
import { type LogSink, logHub } from '../../../src/common/log.js';
import type { SflowSettings } from '../../../src/export/settings.js';
import { Sflow } from '../../../src/export/sflow.js';
import type { Ofproto } from '../../../src/ofproto/index.js';
import { FLOW_WORDS } from '../../../src/packet/flow-layout.js';

const SETTINGS: SflowSettings = {
  targets: ['127.0.0.1:9'],
  sampling: 1,
  pollingSec: 0,
  headerBytes: 128,
  agent: 'nosuch0',
  controlIp: null,
  subId: 0,
};
const NOWHERE = { backer: { portByOdp: () => null } } as unknown as Ofproto;

let warnings: string[];
const sink: LogSink = {
  destination: 'console',
  write: (_sequence, module, level, message) => {
    if (module === 'sflow' && level === 'warn') warnings.push(message);
  },
};

beforeEach(() => {
  warnings = [];
  logHub.sinks.push(sink);
});
afterEach(() => void logHub.sinks.splice(logHub.sinks.indexOf(sink), 1));

it('warns once of an agent that is neither a device nor an address', () => {
  const clock = new WarpClock();
  clock.stop();
  const sflow = new Sflow(SETTINGS, NOWHERE, clock, Math.random);
  const send = () => {
    const sample = { frame: new Uint8Array(60), key: new Int32Array(FLOW_WORDS) };
    sflow.sample(sample as never, { type: 'sflow', vlanTci: 0, output: 0, labels: [] } as never);
    clock.advance(2000);
    sflow.run(clock.now());
  };
  send();
  send();
  expect(warnings).toEqual(["sFlow agent 'nosuch0' is no address, and no device that has one"]);
  sflow.configure({ ...SETTINGS, agent: 'nosuch1' });
  send();
  expect(warnings).toHaveLength(2);
  sflow.configure({ ...SETTINGS, agent: '127.0.0.1' });
  send();
  expect(warnings).toHaveLength(2);
  sflow.close();
});
