/**
 * Decoders of NetFlow v5, sFlow v5 and IPFIX for tests, written from the specifications and not
 * from the encoders: a record that does not end where it should is an error.
 */

export interface Netflow {
  header: Record<string, number>;
  records: Record<string, number>[];
}

export function decodeNetflow(bytes: Uint8Array): Netflow {
  const d = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = d.getUint16(2);
  if (d.getUint16(0) !== 5 || bytes.length !== 24 + 48 * count) throw new Error('no NetFlow v5');
  const header = {
    uptimeMs: d.getUint32(4),
    unixSec: d.getUint32(8),
    unixNsec: d.getUint32(12),
    sequence: d.getUint32(16),
    engineType: d.getUint8(20),
    engineId: d.getUint8(21),
  };
  const records = Array.from({ length: count }, (_, i) => {
    const at = 24 + 48 * i;
    return {
      srcAddr: d.getUint32(at),
      dstAddr: d.getUint32(at + 4),
      input: d.getUint16(at + 12),
      output: d.getUint16(at + 14),
      packets: d.getUint32(at + 16),
      bytes: d.getUint32(at + 20),
      firstMs: d.getUint32(at + 24),
      lastMs: d.getUint32(at + 28),
      srcPort: d.getUint16(at + 32),
      dstPort: d.getUint16(at + 34),
      tcpFlags: d.getUint8(at + 37),
      protocol: d.getUint8(at + 38),
      tos: d.getUint8(at + 39),
    };
  });
  return { header, records };
}

/** A cursor over XDR words. */
class Xdr {
  pos = 0;
  private readonly view: DataView;
  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  u32(): number {
    this.pos += 4;
    return this.view.getUint32(this.pos - 4);
  }
  take(n: number): Uint8Array {
    if (this.pos + n > this.bytes.length) throw new Error('beyond the end');
    this.pos += n;
    return this.bytes.subarray(this.pos - n, this.pos);
  }
}

export interface SflowSampleOut {
  format: number;
  words: number[];
  /** Bodies by format. */
  blocks: Map<number, Uint8Array>;
}

export interface SflowOut {
  agent: Uint8Array;
  subAgent: number;
  sequence: number;
  uptimeMs: number;
  samples: SflowSampleOut[];
}

export function decodeSflow(bytes: Uint8Array): SflowOut {
  const x = new Xdr(bytes);
  if (x.u32() !== 5) throw new Error('no sFlow v5');
  const agent = x.take(x.u32() === 1 ? 4 : 16);
  const [subAgent, sequence, uptimeMs, n] = [x.u32(), x.u32(), x.u32(), x.u32()];
  const samples = Array.from({ length: n }, () => {
    const format = x.u32();
    return decodeSample(format, new Xdr(x.take(x.u32())));
  });
  if (x.pos !== bytes.length) throw new Error('bytes behind the last sample');
  return { agent, subAgent, sequence, uptimeMs, samples };
}

function decodeSample(format: number, x: Xdr): SflowSampleOut {
  const words = Array.from({ length: format === 1 ? 7 : 2 }, () => x.u32());
  const blocks = new Map<number, Uint8Array>();
  for (let left = x.u32(); left > 0; left--) {
    const type = x.u32();
    blocks.set(type, x.take(x.u32()));
  }
  if (x.pos !== x.bytes.length) throw new Error('bytes behind the last block');
  return { format, words, blocks };
}

export type Template = [id: number, bytes: number][];

/** What a collector of IPFIX remembers and gets. */
export class IpfixCollector {
  readonly templates = new Map<number, Template>();
  /** Data records: values by element, numbers where they have up to 8 bytes. */
  readonly records: { template: number; domain: number; values: Map<number, bigint> }[] = [];
  readonly sequences: [sequence: number, records: number][] = [];

  receive(bytes: Uint8Array): void {
    const d = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (d.getUint16(0) !== 10 || d.getUint16(2) !== bytes.length) throw new Error('no IPFIX');
    const before = this.records.length;
    for (let at = 16; at < bytes.length; ) {
      const [id, length] = [d.getUint16(at), d.getUint16(at + 2)];
      if (length < 4 || at + length > bytes.length) throw new Error(`set of ${length} bytes`);
      this.set(id, d.getUint32(12), new DataView(d.buffer, d.byteOffset + at + 4, length - 4));
      at += length;
    }
    this.sequences.push([d.getUint32(8), this.records.length - before]);
  }

  private set(id: number, domain: number, d: DataView): void {
    for (let at = 0; at < d.byteLength; ) {
      if (id === 2 || id === 3) at = this.template(d, at, id === 3 ? 6 : 4);
      else at = this.record(id, domain, d, at);
    }
  }

  private template(d: DataView, start: number, headerBytes: number): number {
    const fields: Template = [];
    let at = start + headerBytes;
    for (let left = d.getUint16(start + 2); left > 0; left--) {
      const id = d.getUint16(at);
      fields.push([id, d.getUint16(at + 2)]);
      at += (id & 0x8000) === 0 ? 4 : 8;
    }
    this.templates.set(d.getUint16(start), fields);
    return at;
  }

  private record(template: number, domain: number, d: DataView, start: number): number {
    const fields = this.templates.get(template);
    if (fields === undefined) throw new Error(`no template ${template}`);
    const values = new Map<number, bigint>();
    let at = start;
    for (const [id, bytes] of fields) {
      const length = bytes === 0xffff ? d.getUint8(at++) : bytes;
      let value = 0n;
      for (let i = 0; i < length; i++) value = (value << 8n) | BigInt(d.getUint8(at + i));
      values.set(id, value);
      at += length;
    }
    this.records.push({ template, domain, values });
    return at;
  }
}
