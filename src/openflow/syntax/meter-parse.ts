/**
 * Meters as ovs-ofctl(8) writes them: `meter=1,kbps,band=type=drop,rate=1000`.
 *
 * Errors are FlowSyntaxError in the words that ovs-ofctl uses. The reverse is in group-format.ts.
 */
import { METER_FLAG, type MeterBand, type MeterConfig, OFPM } from '../messages-groups.js';
import { parseU8, parseU32, syntaxError } from './scan.js';

/** 'request': only which meter. */
export type MeterParseCommand = 'add' | 'modify' | 'delete' | 'request';

const FLAGS: Record<string, number> = {
  kbps: METER_FLAG.KBPS,
  pktps: METER_FLAG.PKTPS,
  burst: METER_FLAG.BURST,
  stats: METER_FLAG.STATS,
};
const METERS: Record<string, number> = {
  all: OFPM.ALL,
  controller: OFPM.CONTROLLER,
  slowpath: OFPM.SLOWPATH,
};

/** Words between delimiters, one at a time, as strtok_r(3) gives them. */
class Tokens {
  constructor(private rest: string) {}

  next(delimiters: RegExp): string | null {
    const start = [...this.rest].findIndex((c) => !delimiters.test(c));
    if (start < 0) return null;
    let end = start;
    while (end < this.rest.length && !delimiters.test(this.rest[end])) end++;
    const word = this.rest.slice(start, end);
    this.rest = this.rest.slice(end + 1);
    return word;
  }
}

const NAME_ENDS = /[=, \t\r\n]/;
const VALUE_ENDS = /[, \t\r\n]/;

function splitBands(text: string): [head: string, bands: string] {
  const at = text.indexOf('band');
  const equals = at < 0 ? -1 : text.indexOf('=', at + 1);
  if (equals < 0) return syntaxError('must specify bands');
  return [text.slice(0, at), text.slice(equals + 1)];
}

function meterNumber(value: string): number {
  if (Object.hasOwn(METERS, value)) return METERS[value];
  const meter = parseU32(value);
  return meter === 0 || meter > OFPM.MAX ? syntaxError('invalid value for meter') : meter;
}

function parseHead(text: string, withFlags: boolean): MeterConfig {
  const out: MeterConfig = { meter: 0, flags: 0, bands: [] };
  const tokens = new Tokens(text);
  for (let name = tokens.next(NAME_ENDS); name !== null; name = tokens.next(NAME_ENDS)) {
    if (withFlags && Object.hasOwn(FLAGS, name)) {
      out.flags |= FLAGS[name];
      continue;
    }
    const value = tokens.next(VALUE_ENDS) ?? syntaxError(`field ${name} missing value`);
    if (name !== 'meter') syntaxError(`unknown keyword ${name}`);
    out.meter = meterNumber(value);
  }
  return out;
}

function parseBands(text: string): MeterBand[] {
  const bands: MeterBand[] = [];
  const tokens = new Tokens(text);
  for (let name = tokens.next(NAME_ENDS); name !== null; name = tokens.next(NAME_ENDS)) {
    const value = tokens.next(VALUE_ENDS) ?? syntaxError(`field ${name} missing value`);
    if (name === 'type') {
      if (value !== 'drop' && value !== 'dscp_remark') {
        syntaxError(`field ${name} unknown value ${value}`);
      }
      bands.push({ type: value, rate: 0, burstSize: 0, precLevel: 0 });
      continue;
    }
    const band = bands.at(-1) ?? syntaxError("band must start with the 'type' keyword");
    if (name === 'rate') band.rate = parseU32(value);
    else if (name === 'burst_size') band.burstSize = parseU32(value);
    else if (name === 'prec_level') band.precLevel = parseU8(value, name);
    else syntaxError(`unknown keyword ${name}`);
  }
  return bands;
}

function checkBand(band: MeterBand, flags: number): void {
  if (band.type === 'dscp_remark') {
    if (band.precLevel === 0) syntaxError("'dscp_remark' band must have 'prec_level'");
  } else if (band.precLevel !== 0) syntaxError("Only 'dscp_remark' band may have 'prec_level'");
  if (band.rate === 0) syntaxError("band must have 'rate'");
  if ((flags & METER_FLAG.BURST) !== 0) {
    if (band.burstSize === 0) {
      syntaxError("band must have 'burst_size' when 'burst' flag is set");
    }
  } else if (band.burstSize !== 0) {
    syntaxError("band may have 'burst_size' only when 'burst' flag is set");
  }
}

/**
 * Parses a meter.
 * @throws FlowSyntaxError
 */
export function parseMeter(text: string, command: MeterParseCommand): MeterConfig {
  const full = command === 'add' || command === 'modify';
  const [head, bandText] = full ? splitBands(text) : [text, ''];
  const out = parseHead(head, full);
  if (out.meter === 0) syntaxError("must specify 'meter'");
  if (!full) return out;
  if (out.flags === 0) syntaxError("meter must specify either 'kbps' or 'pktps'");
  out.bands = parseBands(bandText);
  if (out.bands.length === 0) syntaxError('meter must have bands');
  for (const band of out.bands) checkBand(band, out.flags);
  return out;
}
