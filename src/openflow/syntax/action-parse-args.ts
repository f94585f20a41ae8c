/**
 * Actions whose arguments have a syntax of their own: controller, bundle, multipath, sample, ct and
 * nat. Dispatch and the simple actions are in action-parse.ts, learn in learn-parse.ts.
 */
import { parseIpv4, parseIpv6 } from '../../packet/ip-text.js';
import type { BundleSpec, MultipathSpec, NatSpec, OfAction, SampleSpec } from '../actions.js';
import { OFPP } from '../actions.js';
import { BUNDLE_ALGORITHMS, HASH_FIELDS, MULTIPATH_ALGORITHMS } from '../codec/actions-nicira.js';
import { PACKET_IN_REASONS } from './action-format.js';
import { type Names, parsePort, parseTable } from './names.js';
import {
  atoi,
  hasNxmHeader,
  KeyValueScanner,
  parseSubfield,
  parseU16,
  parseU32,
  syntaxError,
} from './scan.js';

type Nested = (text: string) => OfAction[];

/** Hex digits in pairs, dots between them allowed; what follows them is returned. */
export function parseHexBytes(text: string): { bytes: Uint8Array; rest: string } {
  const bytes: number[] = [];
  let rest = text;
  for (;;) {
    const m = /^[.\s]*([0-9a-fA-F]{2})/.exec(rest);
    if (m === null) break;
    bytes.push(Number.parseInt(m[1], 16));
    rest = rest.slice(m[0].length);
  }
  return { bytes: Uint8Array.from(bytes), rest: rest.replace(/^[.\s]+/, '') };
}

export function parseController(arg: string): OfAction {
  let maxLen = 0xffff;
  let [reason, controllerId, meterId] = [1, 0, 0];
  let userdata: Uint8Array | undefined;
  let pause = false;
  if (/^[0-9]+$/.test(arg)) maxLen = parseU16(arg, 'max_len');
  else {
    const scanner = new KeyValueScanner(arg);
    for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
      const { key, value } = kv;
      if (key === 'reason') {
        reason = PACKET_IN_REASONS.indexOf(value.toLowerCase());
        if (reason < 0) syntaxError(`unknown reason "${value}"`);
      } else if (key === 'max_len') maxLen = parseU16(value, 'max_len');
      else if (key === 'id') controllerId = parseU16(value, 'id');
      else if (key === 'userdata') {
        const { bytes, rest } = parseHexBytes(value);
        if (rest !== '') syntaxError("bad hex digit in `controller' action `userdata'");
        userdata = bytes;
      } else if (key === 'pause') pause = true;
      else if (key === 'meter_id') meterId = parseU32(value);
      else syntaxError(`unknown key "${key}" parsing controller action`);
    }
  }
  if (reason === 1 && controllerId === 0 && userdata === undefined && !pause && meterId === 0) {
    return { type: 'output', port: OFPP.CONTROLLER, maxLen };
  }
  return {
    ...{ type: 'controller', maxLen, controllerId, reason },
    ...(userdata !== undefined && userdata.length > 0 && { userdata }),
    ...(pause && { pause }),
    ...(meterId !== 0 && { meterId }),
  };
}

/** Splits at delimiters as strtok_r does: runs of them count as one. */
function tokens(text: string, delimiters: RegExp): string[] {
  return text.split(delimiters).filter((t) => t !== '');
}

const SPACE_COMMA = /[, ]+/;

function hashFields(full: string, name: string): string {
  const fields = HASH_FIELDS.find((f) => f === name.toLowerCase());
  return fields ?? syntaxError(`${full}: unknown fields \`${name}'`);
}

export function parseBundle(arg: string, load: boolean, names: Names): OfAction {
  const n = load ? 5 : 4;
  const m = new RegExp(`^[, ]*((?:[^, ]+[, ]+){${n}})([^: ]+)[: ]*(.*)$`).exec(arg);
  if (m === null) syntaxError(`${arg}: not enough arguments to bundle action`);
  const [fields, basis, algorithm, memberType, dst] = tokens(m[1], SPACE_COMMA);
  const delimiter = m[2].toLowerCase();
  if (delimiter !== 'members' && delimiter !== 'slaves') {
    syntaxError(`${arg}: missing member delimiter, expected \`members', got \`${m[2]}'`);
  }
  const members = tokens(m[3], /[, [\]]+/).map((text) => {
    const port = parsePort(text, names.ports);
    return port ?? syntaxError(`${text}: bad port number`);
  });
  const hash = hashFields(arg, fields);
  const alg = BUNDLE_ALGORITHMS.find((a) => a === algorithm.toLowerCase());
  if (alg === undefined) syntaxError(`${arg}: unknown algorithm \`${algorithm}'`);
  if (memberType.toLowerCase() !== 'ofport') {
    syntaxError(`${arg}: unknown member_type \`${memberType}'`);
  }
  const bundle: BundleSpec = { fields: hash, basis: atoi(basis) & 0xffff, algorithm: alg, members };
  if (load) {
    const { sub, field } = parseSubfield(dst);
    if (!hasNxmHeader(field)) {
      syntaxError(`${arg}: experimenter OXM field '${dst}' not supported`);
    }
    bundle.dst = sub;
  }
  return { type: 'bundle', load, bundle };
}

export function parseMultipath(arg: string): OfAction {
  const [fields, basis, algorithm, links, argument, dst] = tokens(arg, SPACE_COMMA);
  if (dst === undefined) syntaxError(`${arg}: not enough arguments to multipath action`);
  const hash = hashFields(arg, fields);
  const alg = MULTIPATH_ALGORITHMS.find((a) => a === algorithm.toLowerCase());
  if (alg === undefined) syntaxError(`${arg}: unknown algorithm \`${algorithm}'`);
  const nLinks = atoi(links);
  if (nLinks < 1 || nLinks > 65536) {
    syntaxError(`${arg}: n_links ${nLinks} is not in valid range 1 to 65536`);
  }
  const { sub, field } = parseSubfield(dst);
  if (!hasNxmHeader(field)) syntaxError(`${arg}: experimenter OXM field '${dst}' not supported`);
  if (sub.nBits < 16 && nLinks > 2 ** sub.nBits) {
    const possible = `${sub.nBits}-bit destination field has ${2 ** sub.nBits} possible values`;
    syntaxError(`${arg}: ${possible}, less than specified n_links ${nLinks}`);
  }
  const multipath: MultipathSpec = {
    ...{ fields: hash, basis: atoi(basis) & 0xffff, algorithm: alg, maxLink: nLinks - 1 },
    ...{ arg: atoi(argument) >>> 0, dst: sub },
  };
  return { type: 'multipath', multipath };
}

export function parseSample(arg: string, names: Names): OfAction {
  const sample: SampleSpec = {
    ...{ probability: 0, collectorSetId: 0, obsDomainId: 0, obsPointId: 0 },
    ...{ samplingPort: OFPP.NONE, direction: 'default' },
  };
  const scanner = new KeyValueScanner(arg);
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    const { key, value } = kv;
    if (key === 'probability') {
      sample.probability = parseU16(value, 'probability');
      if (sample.probability === 0) syntaxError(`invalid probability value "${value}"`);
    } else if (key === 'collector_set_id') sample.collectorSetId = parseU32(value);
    else if (key === 'obs_domain_id') sample.obsDomainId = parseU32(value);
    else if (key === 'obs_point_id') sample.obsPointId = parseU32(value);
    else if (key === 'sampling_port') {
      const port = parsePort(value, names.ports);
      sample.samplingPort = port ?? syntaxError(`${value}: unknown port`);
    } else if (key === 'ingress' || key === 'egress') sample.direction = key;
    else syntaxError(`invalid key "${key}" in "sample" argument`);
  }
  if (sample.probability === 0) {
    syntaxError('non-zero "probability" must be specified on sample');
  }
  return { type: 'sample', sample };
}

/** One end of an address range at the start of a text. */
function scanAddress(text: string): { address: Uint8Array; rest: string } | null {
  const v4 = /^\d{1,3}(?:\.\d{1,3}){3}/.exec(text);
  if (v4 !== null) {
    const address = parseIpv4(v4[0]);
    if (address !== null) return { address, rest: text.slice(v4[0].length) };
  }
  const v6 = /^\[([0-9a-fA-F:.]+)\]/.exec(text) ?? /^([0-9a-fA-F:.]+)/.exec(text);
  const address = v6 === null ? null : parseIpv6(v6[1]);
  return v6 === null || address === null ? null : { address, rest: text.slice(v6[0].length) };
}

function parseNatRange(text: string, nat: NatSpec): void {
  const invalid = `invalid nat range "${text}"`;
  let rest = text;
  const first = scanAddress(rest);
  if (first !== null) {
    nat.addrMin = first.address;
    rest = first.rest;
    if (rest.startsWith('-')) {
      const last = scanAddress(rest.slice(1));
      if (last === null || last.address.length !== first.address.length) syntaxError(invalid);
      if (Buffer.compare(last.address, first.address) < 0) syntaxError(invalid);
      nat.addrMax = last.address;
      rest = last.rest;
    }
    if (rest.startsWith(':')) {
      const ports = /^:(\d{1,5})(-(\d{1,5})?)?/.exec(rest);
      if (ports === null) syntaxError(invalid);
      nat.portMin = Number(ports[1]);
      if (ports[2] !== undefined) {
        if (ports[3] === undefined || Number(ports[3]) < nat.portMin) syntaxError(invalid);
        nat.portMax = Number(ports[3]);
      }
      rest = rest.slice(ports[0].length);
    }
  }
  if (rest !== '') {
    const pos = text.length - rest.length;
    syntaxError(`garbage (${rest}) after nat range "${text}" (pos: ${pos})`);
  }
}

export function parseNat(arg: string): OfAction {
  const nat: NatSpec = { flags: 0, portMin: 0, portMax: 0 };
  const flags: Record<string, number> = { src: 1, dst: 2, persistent: 4, hash: 8, random: 16 };
  const scanner = new KeyValueScanner(arg);
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    const bit = Object.hasOwn(flags, kv.key) ? flags[kv.key] : undefined;
    if (bit === undefined) syntaxError(`invalid key "${kv.key}" in "nat" argument`);
    nat.flags |= bit;
    if (bit <= 2) parseNatRange(kv.value, nat);
  }
  if ((nat.flags & 3) === 3) syntaxError('May only specify one of "src" or "dst".');
  if ((nat.flags & 3) === 0 && nat.flags !== 0) {
    syntaxError('Flags allowed only with "src" or "dst".');
  }
  if ((nat.flags & 24) === 24) syntaxError('Both "hash" and "random" are not allowed.');
  // Zero is 'no address' on the wire.
  if (nat.addrMin?.every((b) => b === 0) === true) delete nat.addrMin;
  if (nat.addrMax?.every((b) => b === 0) === true) delete nat.addrMax;
  return { type: 'nat', nat };
}

const ALGS: Record<string, number> = { ftp: 21, tftp: 69 };

export function parseCt(arg: string, names: Names, nested: Nested): OfAction {
  const ct: Extract<OfAction, { type: 'ct' }> = { type: 'ct', flags: 0, zone: 0, actions: [] };
  const scanner = new KeyValueScanner(arg);
  for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
    const { key, value } = kv;
    if (key === 'commit') ct.flags |= 1;
    else if (key === 'force') ct.flags |= 2;
    else if (key === 'table') {
      const table = parseTable(value, names.tables);
      if (table === null) syntaxError(`unknown table ${value}`);
      if (table === 255) syntaxError('invalid table 0xff');
      ct.table = table;
    } else if (key === 'zone') {
      const number = /^[0-9]/.test(value) ? parseU16(value, 'zone') : null;
      ct.zone = number ?? parseSubfield(value).sub;
    } else if (key === 'alg') {
      const alg = Object.hasOwn(ALGS, value) ? ALGS[value] : undefined;
      ct.alg = alg ?? syntaxError(`invalid conntrack helper "${value}"`);
    } else if (key === 'nat') ct.actions.push(parseNat(value));
    else if (key === 'exec') ct.actions.push(...nested(value));
    else syntaxError(`invalid argument to "ct" action: \`${key}'`);
  }
  if ((ct.flags & 3) === 2) syntaxError('"force" flag requires "commit" flag.');
  return ct;
}
