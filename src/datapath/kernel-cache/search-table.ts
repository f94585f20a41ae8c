/**
 * Assembles the search: each mask of the frame's class, one after the other, until an entry has the
 * key under it. Tuple space search, as workers do it.
 */
import { type Assembler, DW, FRAME, reg, W } from './assembler.js';
import * as at from './layout.js';
import { key } from './parse-frame.js';

/** On the stack: the key under the mask at hand, the number of masks, that of the entry at hand. */
const MASKED = -128;
const MASKS = -136;
export const NUMBER = -208;

/** One search per class, since classes differ in words. r2, r3: number and address of the entry. */
export function lookup(asm: Assembler, miss: string, hit: string): void {
  asm.label('found-ipv4');
  search(asm, 'ipv4', at.CLASS_KEY_WORDS[at.CLASS_IPV4], miss, hit);
  asm.label('found-ipv6');
  search(asm, 'ipv6', at.CLASS_KEY_WORDS[at.CLASS_IPV6], miss, hit);
  asm.label('other');
  search(asm, 'other', at.CLASS_KEY_WORDS[at.CLASS_OTHER], miss, hit);
}

/**
 * Tries the masks of the class at r9, one after the other.
 * r0: tag, r1: hash, r2: number, r3: entry, r4: masks tried, r5 and r6: free, r9: mask
 */
function search(asm: Assembler, name: string, words: number, miss: string, hit: string): void {
  asm.load(W, 1, 9, 0);
  asm.store(DW, FRAME, MASKS, reg(1));
  asm.alu('add', 9, at.CLASS_HEAD_BYTES);
  asm.mov(4, 0);
  asm.label(`${name}-mask`);
  asm.jumpIf('ge', 4, at.MASKS_MAX, miss);
  asm.load(DW, 1, FRAME, MASKS);
  asm.jumpIf('ge', 4, reg(1), miss);
  asm.load(W, 0, 9, 0);
  asm.jumpIf('eq', 0, 0, `${name}-next`);
  asm.alu32('mov', 1, reg(0));
  for (let word = 0; word < words; word++) {
    asm.load(W, 2, FRAME, key(word));
    if (word > 0) {
      asm.load(W, 3, 9, 4 * word);
      asm.alu32('and', 2, reg(3));
    }
    asm.store(W, FRAME, MASKED + 4 * word, reg(2));
    asm.alu32('xor', 1, reg(2));
    asm.alu32('mul', 1, at.HASH_MULTIPLIER);
    asm.alu32('mov', 3, reg(1));
    asm.alu32('rsh', 3, 15);
    asm.alu32('xor', 1, reg(3));
  }
  for (let way = 0; way < at.WAYS; way++) {
    const next = `${name}-way${way}`;
    asm.alu32('mov', 2, reg(1));
    asm.alu32('xor', 2, way);
    asm.alu32('and', 2, at.ENTRIES - 1);
    asm.mov(3, reg(2));
    asm.alu('lsh', 3, at.ENTRY_SHIFT);
    asm.alu('add', 3, reg(7));
    asm.alu('add', 3, at.OFF_ENTRIES);
    asm.load(W, 5, 3, at.E_TAG);
    asm.jumpIf('ne', 5, reg(0), next);
    // Differences of all words, two at a time, gathered in r2: branches would cost the verifier
    // its time, too.
    asm.store(DW, FRAME, NUMBER, reg(2));
    for (let word = 0; word < words; word += 2) {
      asm.load(DW, 5, 3, at.E_KEY + 4 * word);
      asm.load(DW, 6, FRAME, MASKED + 4 * word);
      asm.alu('xor', 5, reg(6));
      if (word === 0) asm.mov(2, reg(5));
      else asm.alu('or', 2, reg(5));
    }
    asm.jumpIf('ne', 2, 0, next);
    asm.load(DW, 2, FRAME, NUMBER);
    asm.jump(hit);
    asm.label(next);
  }
  asm.label(`${name}-next`);
  asm.alu('add', 9, at.MASK_BYTES);
  asm.alu('add', 4, 1);
  asm.jump(`${name}-mask`);
}
