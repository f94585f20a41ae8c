/** NetFlow, sFlow and IPFIX: what is encoded is what others decode. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dataSet, encodeMessage, templateSets } from '../../src/export/ipfix-message.js';
import {
  encodeKey,
  IpfixFlow,
  IpfixTotals,
  templateKindOf,
} from '../../src/export/ipfix-record.js';
import { templateId, templateKinds } from '../../src/export/ipfix-templates.js';
import { encodeNetflowV5, netflowPorts } from '../../src/export/netflow-v5.js';
import {
  ethernetBlock,
  interfaceBlock,
  lacpBlock,
  openflowPortBlock,
  portNameBlock,
} from '../../src/export/sflow-counters.js';
import { encodeCounterSample, encodeFlowSample, encodeSflow } from '../../src/export/sflow-v5.js';
import { FLOW_WORDS, W_DL_TYPE, W_NW, W_NW_SRC, W_TP } from '../../src/packet/flow-layout.js';
import { decodeNetflow, decodeSflow, IpfixCollector } from '../support/export-decode.js';

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffffffff);

describe('NetFlow v5', () => {
  it('decodes to what was encoded', () => {
    const header = fc.record({
      ...{ uptimeMs: u32, unixSec: u32, unixNsec: u32, sequence: u32 },
      ...{ engineType: u8, engineId: u8 },
    });
    const record = fc.record({
      ...{ srcAddr: u32, dstAddr: u32, input: u16, output: u16, packets: u32, bytes: u32 },
      ...{ firstMs: u32, lastMs: u32, srcPort: u16, dstPort: u16 },
      ...{ tcpFlags: u8, protocol: u8, tos: u8 },
    });
    fc.assert(
      fc.property(header, fc.array(record, { maxLength: 30 }), (head, records) => {
        expect(decodeNetflow(encodeNetflowV5(head, records))).toEqual({ header: head, records });
      }),
    );
  });

  it("has ICMP's type and code as a destination port", () => {
    expect(netflowPorts(1, 8, 1)).toEqual({ srcPort: 0, dstPort: 0x801 });
    expect(netflowPorts(17, 8, 1)).toEqual({ srcPort: 8, dstPort: 1 });
  });
});

describe('sFlow v5', () => {
  const source = fc.record({ class: fc.nat(3), index: fc.nat(0xffffff) });
  const flow = fc.record({
    ...{ sequence: u32, source, samplingRate: u32, samplePool: u32, drops: u32 },
    ...{ input: u32, output: u32, frameBytes: fc.nat(65_535) },
    ...{ header: fc.uint8Array({ maxLength: 256 }), inTci: u16, outTci: u16 },
    labels: fc.array(u32, { maxLength: 3 }),
  });
  const agent = fc.constantFrom('127.0.0.1', '10.1.2.3', '::1', 'fe80::1:2');

  it('decodes to what was encoded', () => {
    fc.assert(
      fc.property(agent, u32, u32, fc.array(flow, { maxLength: 5 }), (ip, sub, seq, flows) => {
        const samples = flows.map(encodeFlowSample);
        const datagram = { agent: ip, subAgent: sub, sequence: seq, uptimeMs: 1, samples };
        const out = decodeSflow(encodeSflow(datagram));
        expect(out).toMatchObject({ subAgent: sub, sequence: seq, uptimeMs: 1 });
        expect(out.agent.length).toBe(ip.includes(':') ? 16 : 4);
        for (const [i, { words, blocks }] of out.samples.entries()) {
          const sample = flows[i];
          const word = ((sample.source.class << 24) | sample.source.index) >>> 0;
          const { sequence, samplingRate, samplePool, drops, input, output } = sample;
          expect(words).toEqual([sequence, word, samplingRate, samplePool, drops, input, output]);
          const header = blocks.get(1)!;
          expect(header.subarray(16, 16 + sample.header.length)).toEqual(sample.header);
          expect(blocks.has(1006)).toBe(sample.labels.length > 0);
        }
      }),
    );
  });

  it('has counters in blocks of the sizes that the specification gives', () => {
    const statistics = { rx_bytes: 2 ** 40 + 5, rx_packets: 7, tx_bytes: 1, tx_packets: 2 };
    const counters = { ifindex: 3, speedBps: 1e10, fullDuplex: true, adminUp: true, carrier: true };
    const mac = Uint8Array.of(1, 2, 3, 4, 5, 6);
    const states = { actorAdmin: 7, actorOper: 0xbf, partnerAdmin: 0, partnerOper: 2 };
    const pdus = { rxPdus: 1, rxIllegal: 0, txPdus: 2 };
    const blocks = [
      interfaceBlock({ ...counters, statistics }),
      ethernetBlock({}),
      lacpBlock({ actorSystem: mac, partnerSystem: mac, aggregator: 9, ...states, ...pdus }),
      portNameBlock('eth12'),
      openflowPortBlock(0xffffffffffffn, 65534),
    ];
    expect(blocks.map(({ bytes }) => bytes.length)).toEqual([88, 52, 56, 12, 12]);
    const sample = encodeCounterSample({ sequence: 1, source: { class: 0, index: 3 }, blocks });
    const rest = { subAgent: 0, sequence: 1, uptimeMs: 0 };
    const out = decodeSflow(encodeSflow({ agent: '1.2.3.4', ...rest, samples: [sample] }));
    const generic = out.samples[0].blocks.get(1)!;
    const view = new DataView(generic.buffer, generic.byteOffset, generic.length);
    expect(view.getBigUint64(24)).toBe(2n ** 40n + 5n);
    expect(view.getUint32(32)).toBe(7);
  });
});

describe('IPFIX', () => {
  it('announces a template for each kind of packet, in messages that are not fragmented', () => {
    const collector = new IpfixCollector();
    for (const set of templateSets(templateKinds(), true)) {
      const message = encodeMessage({ exportSec: 1, sequence: 0, domain: 0 }, [set]);
      expect(message.length).toBeLessThanOrEqual(1400);
      collector.receive(message);
    }
    expect(collector.templates.size).toBe(templateKinds().length);
  });

  it('has records that their templates describe, with the counts that were gathered', () => {
    const key = fc.array(fc.integer(), { minLength: FLOW_WORDS, maxLength: FLOW_WORDS });
    const type = fc.constantFrom(0x0800, 0x86dd, 0x0806);
    const proto = fc.constantFrom(6, 17, 132, 1, 58, 47);
    const frames = fc.array(fc.integer({ min: 60, max: 65_535 }), { minLength: 1, maxLength: 20 });
    const id = fc.option(fc.uint8Array({ maxLength: 254 }));
    fc.assert(
      fc.property(key, type, proto, frames, fc.boolean(), id, (words, t, p, sizes, egress, obs) => {
        const flow = Int32Array.from(words);
        flow[W_DL_TYPE] = t << 16;
        flow[W_NW] = (p << 24) | (flow[W_NW] & 0xffffff);
        const kind = templateKindOf(flow, egress);
        const port = { ifindex: 5, name: 'eth1' };
        const fields = { observationPoint: 9, input: port, output: port };
        const totals = new IpfixTotals();
        const record = new IpfixFlow(kind, 1, encodeKey(kind, flow, fields), 1e6, 0);
        for (const frameBytes of sizes) {
          const sample = { kind, key: flow, frameBytes, packets: 3, dropped: false };
          record.count(sample, totals, 2e6);
        }
        const collector = new IpfixCollector();
        const header = { exportSec: 3, sequence: 0, domain: 1 };
        const options = { exportSec: 3, endReason: 2, virtualObsId: obs };
        const data = dataSet(templateId(kind), record.encode(totals, options));
        collector.receive(encodeMessage(header, templateSets([kind], obs !== null)));
        collector.receive(encodeMessage(header, [data]));
        const { values } = collector.records[0];
        expect(values.get(2)).toBe(BigInt(3 * sizes.length));
        expect(values.get(352)).toBe(BigInt(3 * sizes.reduce((sum, size) => sum + size, 0)));
        expect(values.get(158)).toBe(2_000_000n);
        expect(values.get(159)).toBe(1_000_000n);
        if (t === 0x0800) expect(values.get(8)).toBe(BigInt(flow[W_NW_SRC] >>> 0));
        if (kind.l4 === 'udp') expect(values.get(11)).toBe(BigInt(flow[W_TP] & 0xffff));
      }),
    );
  });
});
