/**
 * Names of tunnel options: `{class=0xffff,type=0,len=4}->tun_metadata0,...`.
 */
import { parseCInteger } from '../../packet/fields-text.js';
import type { TlvMapping, TlvTableMod } from '../messages-extension.js';
import { syntaxError } from './scan.js';

const MAPPING = /^\{class=(\w+),type=(\w+),len=(\w+)\}->tun_metadata(\w+)/;

const invalid = (): never => syntaxError('invalid tlv mapping');

function number(text: string): number {
  const parsed = parseCInteger(text);
  return parsed === null || parsed.tail !== '' ? invalid() : Number(parsed.value);
}

/** Reads mappings; a comma may precede each. Throws FlowSyntaxError. */
export function parseTlvMappings(text: string): TlvMapping[] {
  const mappings: TlvMapping[] = [];
  let rest = text;
  while (rest !== '') {
    if (rest.startsWith(',')) rest = rest.slice(1);
    const m = MAPPING.exec(rest) ?? invalid();
    const [optionClass, optionType, length, index] = m.slice(1).map(number);
    mappings.push({
      optionClass: optionClass & 0xffff,
      optionType: optionType & 0xff,
      length: length & 0xff,
      index: index & 0xffff,
    });
    rest = rest.slice(m[0].length);
  }
  return mappings;
}

/** A message that does `command` to the mappings. Throws FlowSyntaxError. */
export function parseTlvTableMod(text: string, command: TlvTableMod['command']): TlvTableMod {
  return { type: 'nx_tlv_table_mod', command, mappings: parseTlvMappings(text) };
}
