/** The parts of kernel forwarding that need no kernel: assembler, keys, steps. */
import { describe, expect, it } from 'vitest';
import { DropReason } from '../../../src/datapath/drop-reasons.js';
import { Assembler, B, DW, W } from '../../../src/datapath/kernel-cache/assembler.js';
import { kernelKey, swap32 } from '../../../src/datapath/kernel-cache/kernel-key.js';
import * as layout from '../../../src/datapath/kernel-cache/layout.js';
import { type KernelPort, kernelSteps } from '../../../src/datapath/kernel-cache/steps.js';
import { maskedKey } from '../../../src/datapath/megaflow-table.js';
import type { OdpAction } from '../../../src/datapath/odp-actions.js';
import * as f from '../../../src/packet/flow-layout.js';

function hex(build: (asm: Assembler) => void): string {
  const asm = new Assembler();
  build(asm);
  return Buffer.from(asm.assemble()).toString('hex');
}

describe('the assembler', () => {
  // Encodings as bpftool and LLVM print them.
  it.each<[string, (asm: Assembler) => void, string]>([
    ['r0 = -1', (asm) => asm.mov(0, -1), 'b7000000ffffffff'],
    ['r6 = r1', (asm) => asm.mov(6, { reg: 1 }), 'bf16000000000000'],
    ['w1 *= 7', (asm) => asm.alu32('mul', 1, 7), '2401000007000000'],
    ['r1 = *(u32 *)(r6 + 40)', (asm) => asm.load(W, 1, 6, 40), '6161280000000000'],
    ['r1 = *(u8 *)(r10 - 3)', (asm) => asm.load(B, 1, 10, -3), '71a1fdff00000000'],
    ['*(u64 *)(r10 - 8) = 5', (asm) => asm.store(DW, 10, -8, 5), '7a0af8ff05000000'],
    ['*(u32 *)(r8 + 4) = r2', (asm) => asm.store(W, 8, 4, { reg: 2 }), '6328040000000000'],
    ['lock *(u64 *)(r3 + 8) += r2', (asm) => asm.atomicAdd(3, 8, 2), 'db23080000000000'],
    ['lock *(u32 *)(r5 + 8) += w3', (asm) => asm.atomicAdd(5, 8, 3, W), 'c335080000000000'],
    ['w3 = fetch_add(u32 r9 + 92, w3)', (asm) => asm.fetchAdd32(9, 92, 3), 'c3395c0001000000'],
    [
      'w0 = cmpxchg(u32 r9 + 92, w0, w3)',
      (asm) => asm.compareExchange32(9, 92, 3),
      'c3395c00f1000000',
    ],
    ['r3 = be16 r3', (asm) => asm.swap16(3), 'dc03000010000000'],
    ['call 26', (asm) => asm.call(26), '850000001a000000'],
    [
      'r7 = map_value(fd 9)[16]',
      (asm) => asm.mapValue(7, 9, 16),
      '18270000090000000000000010000000',
    ],
  ])('%s', (_, build, bytes) => {
    expect(hex(build)).toBe(bytes);
  });

  it('finds labels before and behind a jump', () => {
    const bytes = hex((asm) => {
      asm.label('start');
      asm.jumpIf('eq', 1, 0, 'end');
      asm.jump('start');
      asm.label('end');
      asm.exit();
    });
    expect(bytes).toBe('15010100000000000500feff000000009500000000000000');
  });

  it('refuses labels that are missing or stand twice', () => {
    expect(() => hex((asm) => asm.jump('nowhere'))).toThrow('no label nowhere');
    expect(() => hex((asm) => [asm.label('a'), asm.label('a')])).toThrow('stands twice');
  });
});

/** The kernel's key of a flow with these words; masks are whole unless given. */
function keyOf(words: Record<number, number>, masks: Record<number, number> = {}) {
  const key = f.newFlow();
  const mask = f.newFlow();
  for (const [word, value] of Object.entries({ [f.W_IN_PORT]: 3, ...words })) {
    key[Number(word)] = value;
    mask[Number(word)] = masks[Number(word)] ?? -1;
  }
  return kernelKey(maskedKey(key, mask));
}
const IPV4 = { [f.W_DL_TYPE]: 0x0800_0000 };

describe('kernelKey', () => {
  it('orders bytes as a little-endian machine reads them from the wire', () => {
    const key = keyOf({
      ...IPV4,
      [f.W_DL_DST]: 0x0200_0001,
      [f.W_NW]: 0x1140_3f00 | 0,
      [f.W_NW_DST]: 0x0a00_0002,
      [f.W_TP]: (53 << 16) | 80,
    });
    expect(key).toMatchObject({ cls: layout.CLASS_IPV4, inPort: 3 });
    expect(key?.key[1]).toBe(0x0100_0002);
    expect(key?.key[5]).toBe(0x0008);
    expect(key?.key[6]).toBe(17 | (0x40 << 8) | (0x3f << 16));
    expect(key?.key[8]).toBe(0x0200_000a);
    expect(key?.key[9]).toBe(swap32((53 << 16) | 80));
  });

  it('keeps a VLAN as one number, and compares it under its mask', () => {
    const vlan = (0x8100 << 16) | f.VLAN_CFI | 10;
    const key = keyOf({ ...IPV4, [f.W_VLAN0]: vlan }, { [f.W_VLAN0]: 0xffff_1fff | 0 });
    expect([key?.key[4], key?.mask[4]]).toEqual([vlan, 0xffff_1fff | 0]);
  });

  it.each<[string, Record<number, number>]>([
    ['an ARP flow', { [f.W_DL_TYPE]: 0x0806_0000 }],
    ['fragments', { [f.W_DL_TYPE]: 0x0800_0100 }],
    ['a flow without EtherType', { [f.W_NW_SRC]: 1 }],
    ['TCP flags', { ...IPV4, [f.W_TCP_FLAGS]: 0x0002_0000 }],
    ['an inner tag', { ...IPV4, [f.W_VLAN1]: f.VLAN_CFI | 5 }],
    ['a recirculated packet', { ...IPV4, [f.W_RECIRC_ID]: 1 }],
    ['an IPv6 label', { [f.W_DL_TYPE]: 0x86dd_0000 | 0, [f.W_IPV6_LABEL]: 7 }],
    ['MPLS', { [f.W_DL_TYPE]: 0x8847_0000 | 0, [f.W_MPLS]: 0x1000 }],
    ['IPv4 addresses of another EtherType', { [f.W_DL_TYPE]: 0x88b5_0000 | 0, [f.W_NW_SRC]: 1 }],
  ])('leaves %s to workers', (_, words) => {
    expect(keyOf(words)).toBeNull();
  });

  it('need not compare what is always zero in the frames that it takes', () => {
    expect(keyOf({ ...IPV4, [f.W_RECIRC_ID]: 0, [f.W_PACKET_TYPE]: 0 })).not.toBeNull();
  });
});

describe('kernelSteps', () => {
  const ports: Record<number, KernelPort> = {
    1: { ifindex: 11, tap: false, frameMax: 1514 },
    2: { ifindex: 12, tap: true, frameMax: 0x7fffffff },
    3: { ifindex: 13, tap: false, frameMax: 9014 },
    4: { ifindex: 14, tap: false, frameMax: 0 },
  };
  const steps = (...actions: OdpAction[]) => kernelSteps(actions, (port) => ports[port])?.words;
  const output = (port: number): OdpAction => ({ type: 'output', port });

  it('copies for every output but the last', () => {
    expect(steps(output(1), output(2), output(1))).toEqual([
      ...[layout.STEP_OUTPUT | (1 << 8), 11],
      ...[layout.STEP_DELIVER | (2 << 8), 12],
      ...[layout.STEP_OUTPUT_LAST | (1 << 8), 11],
    ]);
  });

  it('does not let go of a frame that is still to be changed', () => {
    const pushed = steps(output(1), { type: 'push_vlan', tpid: 0x8100, tci: 0x100a });
    expect(pushed).toEqual([
      ...[layout.STEP_OUTPUT | (1 << 8), 11],
      ...[layout.STEP_PUSH_VLAN, (0x8100 << 16) | 10],
    ]);
  });

  it('passes a frame to the host that it is for, and to no other', () => {
    const host = Uint8Array.of(2, 0, 0, 0, 0, 7);
    const other = Uint8Array.of(2, 0, 0, 0, 0, 8);
    const behind = { ...ports, 1: { ...ports[1], host } };
    const words = (dst: Uint8Array | null, ...actions: OdpAction[]) =>
      kernelSteps(actions, (port) => behind[port as 1], true, dst)?.words;
    const passed = [layout.STEP_PASS_LAST | (1 << 8), 11];
    const sent = [layout.STEP_OUTPUT_LAST | (1 << 8), 11];
    expect(words(host, output(1))).toEqual(passed);
    expect(words(other, output(1))).toEqual(sent);
    expect(words(null, output(1))).toEqual(sent);
    // Flooded: only the last output may give the frame away.
    expect(words(host, output(1), output(3))?.[0]).toBe(layout.STEP_OUTPUT | (1 << 8));
    expect(words(host, output(3))).toEqual([layout.STEP_OUTPUT_LAST | (3 << 8), 13]);
  });

  it('counts what no action is there for as a drop of the pipeline', () => {
    expect(steps()).toEqual([layout.STEP_DROP, DropReason.pipeline]);
  });

  const push: OdpAction = { type: 'push_vlan', tpid: 0x8100, tci: 0x100a };
  it.each<[string, boolean, number, OdpAction[]]>([
    ['the smallest of its ports', true, 1514, [output(3), output(1)]],
    ['no limit at a TAP', true, 0x7fffffff, [output(2)]],
    ['room for one tag beyond it', true, 1514, [push, output(1)]],
    ['less where a second tag may come', false, 1510, [push, output(1)]],
    ['less where a second tag comes', true, 9010, [push, push, output(3)]],
    ['as much where the tag goes', false, 1514, [{ type: 'pop_vlan' }, push, output(1)]],
  ])('takes frames up to %s', (_, untagged, bytes, actions) => {
    expect(kernelSteps(actions, (port) => ports[port], untagged)?.lengthMax).toBe(bytes);
  });

  it.each<[string, OdpAction[]]>([
    ['an output that it does not know', [output(9)]],
    ['a port that is down', [output(1), output(4)]],
    ['a meter', [{ type: 'meter', id: 0 }, output(1)]],
    ['recirculation', [{ type: 'recirc', id: 1 }]],
    ['more steps than there is room for', Array.from({ length: 17 }, () => output(1))],
  ])('leaves %s to workers', (_, actions) => {
    expect(steps(...actions)).toBeUndefined();
  });
});
