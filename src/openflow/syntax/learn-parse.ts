/**
 * The arguments of the learn action as ovs-actions(7) writes them.
 */

import type { Field } from '../../packet/fields.js';
import {
  FieldTextError,
  formatFieldText,
  parseFieldText,
  parseIntBytes,
} from '../../packet/fields-text.js';
import type { LearnFlowSpec, LearnSpec, OfAction } from '../actions.js';
import { DEFAULT_PRIORITY } from './match-format.js';
import { type Names, parseTable, portNames } from './names.js';
import {
  atoi,
  FlowSyntaxError,
  hasNxmHeader,
  KeyValueScanner,
  parseSubfield,
  type ScannedSubfield,
  scanSubfield,
  syntaxError,
} from './scan.js';

/** A run of bits, or the complaint about it. */
function trySubfield(text: string): ScannedSubfield | FlowSyntaxError {
  try {
    return parseSubfield(text);
  } catch (e) {
    if (e instanceof FlowSyntaxError) return e;
    throw e;
  }
}

function highBitsClear(value: Uint8Array, nBits: number): boolean {
  for (let bit = nBits; bit < value.length * 8; bit++) {
    if ((value[value.length - 1 - (bit >> 3)] & (1 << (bit & 7))) !== 0) return false;
  }
  return true;
}

function immediateValue(
  orig: string,
  dst: ScannedSubfield,
  text: string,
  names: Names,
): Uint8Array | string {
  const { field, sub } = dst;
  if (sub.ofs === 0 && sub.nBits === field.nBits) {
    try {
      const { value, mask } = parseFieldText(field, text, portNames(names.ports));
      return mask.every((b) => b === 0xff) ? value : `${text}: wildcards not allowed here`;
    } catch (e) {
      if (e instanceof FieldTextError) return e.message;
      throw e;
    }
  }
  const parsed = parseIntBytes(text, field.nBytes);
  if (parsed === null || parsed.tooLarge || parsed.tail !== '') {
    return `${orig}: cannot parse integer value`;
  }
  if (highBitsClear(parsed.bytes, sub.nBits)) return parsed.bytes;
  const shown = formatFieldText(field, parsed.bytes, undefined, portNames(null));
  return `${orig}: value ${shown} does not fit into ${sub.nBits} bits`;
}

const low = (value: Uint8Array, nBits: number): Uint8Array =>
  value.slice(value.length - Math.ceil(nBits / 8));

function matchSpec(
  orig: string,
  dst: ScannedSubfield,
  name: string,
  value: string,
  names: Names,
): LearnFlowSpec {
  const { sub } = dst;
  requireNxm(orig, dst.field, name);
  const target = { type: 'match' as const, sub };
  if (value === '') return { nBits: sub.nBits, src: { ...sub }, dst: target };
  const src = trySubfield(value);
  if (src instanceof FlowSyntaxError) {
    const imm = immediateValue(orig, dst, value, names);
    if (typeof imm === 'string') {
      const both = `cannot be parsed as a subfield (${src.message}) or an immediate value (${imm})`;
      syntaxError(`${orig}: ${name} value ${value} ${both}`);
    }
    return { nBits: sub.nBits, src: { immediate: low(imm, sub.nBits) }, dst: target };
  }
  if (src.sub.nBits !== sub.nBits) {
    const widths = `${name} (${src.sub.nBits}) and ${value} (${sub.nBits})`;
    syntaxError(`${orig}: bit widths of ${widths} differ`);
  }
  return { nBits: sub.nBits, src: src.sub, dst: target };
}

function requireNxm(orig: string, field: Field, name: string): void {
  if (!hasNxmHeader(field)) {
    syntaxError(`${orig}: experimenter OXM field '${name}' not supported`);
  }
}

function loadSpec(value: string): LearnFlowSpec {
  const arrow = value.indexOf('->');
  if (arrow === 0) syntaxError(`load: missing source before \`->' in \`${value}'`);
  if (arrow < 0) syntaxError(`load: missing \`->' in \`${value}'`);
  const parsed = parseIntBytes(value, 128);
  if (parsed !== null) {
    if (!parsed.tail.startsWith('->')) syntaxError(`load: garbage before \`->' in \`${value}'`);
    const { field, sub } = parseSubfield(value.slice(arrow + 2));
    requireNxm(value, field, value.slice(arrow + 2));
    if (!highBitsClear(parsed.bytes, sub.nBits)) {
      syntaxError(`${value}: value does not fit into ${sub.nBits} bits`);
    }
    const immediate = low(parsed.bytes, sub.nBits);
    return { nBits: sub.nBits, src: { immediate }, dst: { type: 'load', sub } };
  }
  const { src, dst } = parseMoveArgs(value);
  return { nBits: src.nBits, src, dst: { type: 'load', sub: dst } };
}

/** `source->destination`, of equal widths. */
export function parseMoveArgs(text: string) {
  const src = scanSubfield(text);
  if (!src.rest.startsWith('->')) syntaxError(`${text}: missing \`->' following source`);
  const dst = parseSubfield(src.rest.slice(2));
  if (src.sub.nBits !== dst.sub.nBits) {
    const widths = `${src.sub.nBits} bits wide but destination is ${dst.sub.nBits} bits wide`;
    syntaxError(`${text}: source field is ${widths}`);
  }
  return { src: src.sub, dst: dst.sub };
}

function parseSpec(orig: string, name: string, value: string, names: Names): LearnFlowSpec {
  const dst = trySubfield(name);
  if (!(dst instanceof FlowSyntaxError)) return matchSpec(orig, dst, name, value, names);
  if (name === 'load') return loadSpec(value);
  if (name === 'output') {
    const { sub } = parseSubfield(value);
    return { nBits: sub.nBits, src: sub, dst: { type: 'output' } };
  }
  return syntaxError(`${orig}: unknown keyword ${name}`);
}

function parseResultDst(learn: LearnSpec, value: string): void {
  const { sub, field } = parseSubfield(value);
  learn.writeResult = true;
  if (!field.writable) syntaxError(`${value} is read-only`);
  if (sub.nBits !== 1) syntaxError("result_dst in 'learn' action must be a single bit");
  learn.resultDst = sub;
}

export function parseLearn(arg: string, names: Names): OfAction {
  const learn: LearnSpec = {
    ...{ idleTimeout: 0, hardTimeout: 0, priority: DEFAULT_PRIORITY, cookie: 0n, table: 1 },
    ...{ finIdle: 0, finHard: 0, limit: 0, sendFlowRem: false, deleteLearned: false },
    ...{ writeResult: false, specs: [] },
  };
  const numbers: Record<string, (n: number) => void> = {
    priority: (n) => {
      learn.priority = n & 0xffff;
    },
    idle_timeout: (n) => {
      learn.idleTimeout = n & 0xffff;
    },
    hard_timeout: (n) => {
      learn.hardTimeout = n & 0xffff;
    },
    fin_idle_timeout: (n) => {
      learn.finIdle = n & 0xffff;
    },
    fin_hard_timeout: (n) => {
      learn.finHard = n & 0xffff;
    },
    limit: (n) => {
      learn.limit = n >>> 0;
    },
  };
  const scanner = new KeyValueScanner(arg);
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    const { key, value } = kv;
    if (key === 'table') {
      const table = parseTable(value, names.tables);
      if (table === null) syntaxError(`unknown table "${value}"`);
      if (table === 255) syntaxError(`${arg}: table id 255 not valid for \`learn' action`);
      learn.table = table;
    } else if (Object.hasOwn(numbers, key)) numbers[key](atoi(value));
    else if (key === 'cookie') {
      const parsed = parseIntBytes(value, 8);
      learn.cookie =
        parsed === null ? 0n : BigInt(`0x${Buffer.from(parsed.bytes).toString('hex')}`);
    } else if (key === 'send_flow_rem') learn.sendFlowRem = true;
    else if (key === 'delete_learned') learn.deleteLearned = true;
    else if (key === 'result_dst') parseResultDst(learn, value);
    else learn.specs.push(parseSpec(arg, key, value, names));
  }
  return { type: 'learn', learn };
}
