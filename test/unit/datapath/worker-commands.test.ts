/** Packed commands: what a worker does with them equals what was asked for. */
import { describe, expect, it } from 'vitest';
import { compileActions } from '../../../src/datapath/compile-actions.js';
import { maskedKey } from '../../../src/datapath/megaflow-table.js';
import { CommandReader, CommandWriter } from '../../../src/datapath/worker-commands.js';
import { newFlow } from '../../../src/packet/flow-layout.js';
import { EngineFixture } from './engine-fixture.js';

function run(fixture: EngineFixture, writer: CommandWriter): void {
  const reader = new CommandReader(fixture.engine, fixture.memory, () => fixture.engine.endBatch());
  const { words, length } = writer.take();
  reader.run(words, 0, length);
}

const frame = (n: number, len: number) =>
  Uint8Array.from({ length: len }, (_, i) => (n + i) & 0xff);
const output = (port: number) => compileActions([{ type: 'output', port }]);

describe('packed commands', () => {
  it('put, modify and delete flows in order', () => {
    const fixture = new EngineFixture();
    const writer = new CommandWriter();
    const key = newFlow();
    const mask = newFlow();
    key[1] = 3;
    mask[1] = -1;
    writer.flowPut(5, maskedKey(key, mask), output(1));
    writer.flowPut(6, maskedKey(newFlow(), newFlow()), output(2));
    writer.flowModify(5, output(7));
    writer.flowDel(6);
    run(fixture, writer);
    expect(writer.empty).toBe(true);
    fixture.receive(frame(0, 60), 3);
    fixture.receive(frame(0, 60), 4);
    expect(fixture.sent.map((s) => s.port)).toEqual([7]);
    expect(fixture.upcalls.length).toBe(1);
  });

  it('carry packets of any length with their headers', () => {
    const fixture = new EngineFixture();
    const writer = new CommandWriter();
    const lengths = [14, 15, 16, 17, 60, 1500, 65_535, 65_569];
    lengths.forEach((len, n) => {
      const vnetHdr = new Uint8Array(10).fill(n);
      writer.execute({ data: frame(n, len), vnetHdr }, newFlow(), output(n + 1));
    });
    writer.execute({ data: frame(9, 80) }, newFlow(), output(20));
    run(fixture, writer);
    const sent = [...fixture.sent].sort((a, b) => a.port - b.port);
    lengths.forEach((len, n) => {
      expect(Buffer.compare(sent[n].frame, frame(n, len))).toBe(0);
      expect(sent[n].vnet).toEqual(new Uint8Array(10).fill(n));
    });
    expect(sent.at(-1)?.vnet).toEqual(new Uint8Array(10));
  });

  it('count packets that are too short or too long', () => {
    const fixture = new EngineFixture();
    const writer = new CommandWriter();
    writer.execute({ data: frame(0, 13) }, newFlow(), output(1));
    writer.execute({ data: frame(0, 300_000) }, newFlow(), output(1));
    writer.execute({ data: frame(0, 64) }, newFlow(), output(1));
    run(fixture, writer);
    expect(fixture.sent.length).toBe(1);
    const drops = [...fixture.stats.drops].reduce((a, b) => a + b, 0);
    expect(drops).toBe(2);
  });

  it('classify a packet again', () => {
    const fixture = new EngineFixture();
    const writer = new CommandWriter();
    const key = newFlow();
    const mask = newFlow();
    key[1] = 9;
    mask[1] = -1;
    writer.flowPut(1, maskedKey(key, mask), output(3));
    writer.reinject({ data: frame(1, 70) }, 9);
    run(fixture, writer);
    expect(fixture.sent.length).toBe(1);
    expect(fixture.packets(1)).toBe(1);
  });
});
