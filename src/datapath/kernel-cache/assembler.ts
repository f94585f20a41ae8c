/**
 * A small assembler for eBPF: instructions with labels in, the bytes for the kernel out.
 *
 *     8 bytes each:  | opcode 8 | src 4, dst 4 | offset 16 | immediate 32 |
 *
 * Only what is needed. The kernel's verifier judges the result; nothing is checked here
 * beyond labels. Little-endian machines only.
 *
 * Source: Documentation/bpf/standardization/instruction-set.rst.
 */

/** Opcode parts. */
const LD = 0x00;
const LDX = 0x01;
const ST = 0x02;
const STX = 0x03;
const ALU32 = 0x04;
const JMP = 0x05;
const JMP32 = 0x06;
const ALU64 = 0x07;
const MODE_IMM = 0x00;
const MODE_MEM = 0x60;
const MODE_ATOMIC = 0xc0;
const SOURCE_REGISTER = 0x08;
const PSEUDO_MAP_VALUE = 2;
const ATOMIC_FETCH = 0x01;
const ATOMIC_COMPARE_EXCHANGE = 0xf1;

/** Access widths: 4, 2, 1 and 8 bytes. */
export const W = 0x00;
export const H = 0x08;
export const B = 0x10;
export const DW = 0x18;

const ALU_CODES = {
  add: 0x00,
  sub: 0x10,
  mul: 0x20,
  div: 0x30,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  xor: 0xa0,
  mov: 0xb0,
} as const;

const JUMP_CODES = {
  eq: 0x10,
  gt: 0x20,
  ge: 0x30,
  ne: 0x50,
  lt: 0xa0,
  le: 0xb0,
} as const;

export type Alu = keyof typeof ALU_CODES;
export type Comparison = keyof typeof JUMP_CODES;

/** Registers: results in r0, arguments in r1 to r5 (lost in calls), kept r6 to r9, frame r10. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;
export const FRAME: Register = 10;

/** A second operand: a register, or a number. */
export type Operand = { reg: Register } | number;

export const reg = (register: Register): Operand => ({ reg: register });

interface Instruction {
  code: number;
  dst: number;
  src: number;
  off: number;
  imm: number;
  /** Where a jump goes. */
  label?: string;
}

/** Collects one program. */
export class Assembler {
  private readonly instructions: Instruction[] = [];
  private readonly labels = new Map<string, number>();

  /** `dst = dst OP operand`, all 64 bits. */
  alu(code: Alu, dst: Register, operand: Operand): void {
    this.operation(ALU64 | ALU_CODES[code], dst, operand);
  }

  /** The same in 32 bits; the upper half becomes 0. */
  alu32(code: Alu, dst: Register, operand: Operand): void {
    this.operation(ALU32 | ALU_CODES[code], dst, operand);
  }

  mov(dst: Register, operand: Operand): void {
    this.alu('mov', dst, operand);
  }

  /** Swaps the two low bytes and clears the others. */
  swap16(dst: Register): void {
    this.emit(ALU32 | 0xd0 | SOURCE_REGISTER, dst, 0, 0, 16);
  }

  load(size: number, dst: Register, base: Register, off: number): void {
    this.emit(LDX | MODE_MEM | size, dst, base, off, 0);
  }

  store(size: number, base: Register, off: number, operand: Operand): void {
    if (typeof operand === 'number') this.emit(ST | MODE_MEM | size, base, 0, off, operand);
    else this.emit(STX | MODE_MEM | size, base, operand.reg, off, 0);
  }

  /** Adds a register to 8 (or 4: `W`) bytes of memory, as one step for all CPUs. */
  atomicAdd(base: Register, off: number, src: Register, size = DW): void {
    this.emit(STX | MODE_ATOMIC | size, base, src, off, 0);
  }

  /** The same with 4 bytes; the register becomes what was there before. */
  fetchAdd32(base: Register, off: number, src: Register): void {
    this.emit(STX | MODE_ATOMIC | W, base, src, off, ATOMIC_FETCH);
  }

  /** Stores a register in 4 bytes that equal r0; r0 becomes what was there before. */
  compareExchange32(base: Register, off: number, src: Register): void {
    this.emit(STX | MODE_ATOMIC | W, base, src, off, ATOMIC_COMPARE_EXCHANGE);
  }

  /** The same with `or`. */
  atomicOr(base: Register, off: number, src: Register): void {
    this.emit(STX | MODE_ATOMIC | DW, base, src, off, ALU_CODES.or);
  }

  /** The address of a byte in the only element of an array map. */
  mapValue(dst: Register, mapFd: number, offset: number): void {
    this.emit(LD | MODE_IMM | DW, dst, PSEUDO_MAP_VALUE, 0, mapFd);
    this.emit(0, 0, 0, 0, offset);
  }

  label(name: string): void {
    if (this.labels.has(name)) throw new Error(`label ${name} stands twice`);
    this.labels.set(name, this.instructions.length);
  }

  jump(label: string): void {
    this.emit(JMP, 0, 0, 0, 0, label);
  }

  jumpIf(comparison: Comparison, dst: Register, operand: Operand, label: string): void {
    this.conditional(JMP, comparison, dst, operand, label);
  }

  /** Compares the lower halves. */
  jumpIf32(comparison: Comparison, dst: Register, operand: Operand, label: string): void {
    this.conditional(JMP32, comparison, dst, operand, label);
  }

  /** Calls a kernel function by its number (enum bpf_func_id). */
  call(helper: number): void {
    this.emit(JMP | 0x80, 0, 0, 0, helper);
  }

  exit(): void {
    this.emit(JMP | 0x90, 0, 0, 0, 0);
  }

  /** The program's bytes. */
  assemble(): Uint8Array {
    const bytes = new Uint8Array(this.instructions.length * 8);
    const view = new DataView(bytes.buffer);
    this.instructions.forEach((instruction, at) => {
      const { code, dst, src, imm, label } = instruction;
      let { off } = instruction;
      if (label !== undefined) {
        const target = this.labels.get(label);
        if (target === undefined) throw new Error(`no label ${label}`);
        off = target - at - 1;
        if (off > 0x7fff || off < -0x8000) throw new Error(`label ${label} is too far away`);
      }
      view.setUint8(at * 8, code);
      view.setUint8(at * 8 + 1, (src << 4) | dst);
      view.setInt16(at * 8 + 2, off, true);
      view.setInt32(at * 8 + 4, imm, true);
    });
    return bytes;
  }

  private operation(code: number, dst: Register, operand: Operand): void {
    if (typeof operand === 'number') this.emit(code, dst, 0, 0, operand);
    else this.emit(code | SOURCE_REGISTER, dst, operand.reg, 0, 0);
  }

  private conditional(
    kind: number,
    comparison: Comparison,
    dst: Register,
    operand: Operand,
    label: string,
  ): void {
    const code = kind | JUMP_CODES[comparison];
    if (typeof operand === 'number') this.emit(code, dst, 0, 0, operand, label);
    else this.emit(code | SOURCE_REGISTER, dst, operand.reg, 0, 0, label);
  }

  private emit(
    code: number,
    dst: number,
    src: number,
    off: number,
    imm: number,
    label?: string,
  ): void {
    this.instructions.push({ code, dst, src, off, imm, label });
  }
}
