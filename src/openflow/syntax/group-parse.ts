/**
 * Groups as ovs-ofctl(8) writes them: `group_id=1,type=select,bucket=weight:2,actions=output:1`.
 *
 * Errors are FlowSyntaxError in the words that ovs-ofctl uses. The reverse is group-format.ts.
 */
import { fieldByName } from '../../packet/fields.js';
import { parseFieldText } from '../../packet/fields-text.js';
import { OFPP } from '../actions.js';
import {
  BUCKET,
  type Bucket,
  type GroupCommand,
  type GroupMod,
  type GroupProps,
  type GroupType,
  OFPG,
} from '../messages-groups.js';
import { P_ANY, P_OF10_ANY, P_OF15_UP } from '../protocols.js';
import { parseActions } from './action-parse.js';
import { exactProtocols } from './match-parse.js';
import { type Names, parsePort, portNames } from './names.js';
import {
  KeyValueScanner,
  parseU16,
  parseU32,
  parseU64,
  syntaxError,
  withFieldErrors,
} from './scan.js';

/** 'file' lets the text begin with a command. */
export type GroupParseCommand = GroupCommand | 'file';

export interface ParsedGroupMod {
  msg: GroupMod;
  /** Flow formats that can express it. */
  usable: number;
}

/** Bucket numbers and selection methods are in 1.5, and in Nicira's extension of 1.0. */
const P_LIKE_15 = P_OF10_ANY | P_OF15_UP;
const METHOD_LENGTH_MAX = 15;
const LEADING: GroupCommand[] = [
  'add',
  'delete',
  'modify',
  'add_or_mod',
  'insert_bucket',
  'remove_bucket',
];
const TYPES: Record<string, GroupType> = {
  all: 'all',
  select: 'select',
  indirect: 'indirect',
  ff: 'ff',
  fast_failover: 'ff',
};
const COMMAND_BUCKETS: Record<string, number> = {
  all: BUCKET.ALL,
  first: BUCKET.FIRST,
  last: BUCKET.LAST,
};

function takesBuckets(command: GroupCommand): boolean {
  return command !== 'delete' && command !== 'remove_bucket';
}

const takesType = (command: GroupCommand): boolean =>
  command === 'add' || command === 'modify' || command === 'add_or_mod';

const takesBucketId = (command: GroupCommand): boolean =>
  command === 'insert_bucket' || command === 'remove_bucket';

class GroupParser {
  usable = P_ANY;
  private hadType = false;
  private hadBucketId = false;
  private groupType: GroupType = 'all';
  private group: number = OFPG.ANY;
  private commandBucketId: number = BUCKET.ALL;
  private readonly props: GroupProps = {
    ...{ selectionMethod: '', selectionMethodParam: 0n, fields: [] },
  };
  private readonly buckets: Bucket[] = [];

  constructor(
    private readonly command: GroupCommand,
    private readonly names: Names,
  ) {
    if (takesBucketId(command)) this.usable &= P_LIKE_15;
  }

  parse(text: string): GroupMod {
    if (this.command === 'delete' && text === '') {
      this.group = OFPG.ALL;
      return this.result();
    }
    const at = text.indexOf('bucket=');
    if (at >= 0 && !takesBuckets(this.command)) syntaxError('bucket is not needed');
    const scanner = new KeyValueScanner(at < 0 ? text : text.slice(0, at));
    for (let kv = scanner.next(); kv !== null; kv = scanner.next()) this.key(kv.key, kv.value);
    this.check();
    if (at >= 0) this.bucketList(text.slice(at));
    if (this.groupType === 'indirect' && this.buckets.length > 1) {
      syntaxError('Indirect groups can have at most one bucket.');
    }
    return this.result();
  }

  private result(): GroupMod {
    const { command, groupType, group, commandBucketId, buckets, props } = this;
    return { type: 'group_mod', command, groupType, group, commandBucketId, buckets, props };
  }

  private key(key: string, value: string): void {
    switch (key) {
      case 'command_bucket_id':
        this.setCommandBucket(value);
        return;
      case 'group_id':
        this.setGroup(value);
        return;
      case 'type':
        if (!takesType(this.command)) syntaxError('type is not needed');
        this.groupType = Object.hasOwn(TYPES, value)
          ? TYPES[value]
          : syntaxError(`invalid group type ${value}`);
        this.hadType = true;
        return;
      case 'selection_method':
        if (!takesType(this.command)) syntaxError('selection method is not needed');
        if (value.length > METHOD_LENGTH_MAX) {
          syntaxError(`selection method is longer than ${METHOD_LENGTH_MAX} bytes long`);
        }
        this.props.selectionMethod = value;
        break;
      case 'selection_method_param':
        if (!takesType(this.command)) syntaxError('selection method param is not needed');
        this.props.selectionMethodParam = parseU64(value);
        break;
      case 'fields':
        if (!takesType(this.command)) syntaxError('fields are not needed');
        this.fields(value);
        break;
      default:
        syntaxError(`unknown keyword ${key}`);
    }
    this.usable &= P_LIKE_15;
  }

  private setCommandBucket(value: string): void {
    if (!takesBucketId(this.command)) syntaxError('command bucket id is not needed');
    const named = Object.hasOwn(COMMAND_BUCKETS, value) ? COMMAND_BUCKETS[value] : undefined;
    const id = named ?? parseU32(value);
    const reserved = Object.values(COMMAND_BUCKETS).includes(id);
    if (id > BUCKET.MAX && !reserved) syntaxError(`invalid command bucket id ${id}`);
    if (id === BUCKET.ALL && this.command !== 'remove_bucket') {
      syntaxError('command_bucket_id=all is not permitted');
    }
    this.commandBucketId = id;
    this.hadBucketId = true;
  }

  private setGroup(value: string): void {
    const group = value === 'all' ? OFPG.ALL : parseU32(value);
    if (group !== OFPG.ALL && group > OFPG.MAX) syntaxError(`invalid group id ${group}`);
    this.group = group;
  }

  private fields(text: string): void {
    const scanner = new KeyValueScanner(text);
    for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
      const { key, value } = kv;
      const field = fieldByName(key) ?? syntaxError(`: unknown field ${key}`);
      const { fields } = this.props;
      if (fields.some((f) => f.field === field.name)) syntaxError(`${key}: duplicate field`);
      let mask = new Uint8Array(field.nBytes).fill(0xff);
      if (value !== '') {
        const ports = portNames(this.names.ports);
        const parsed = withFieldErrors(() => parseFieldText(field, value, ports));
        mask = new Uint8Array(parsed.value);
        if (mask.every((b) => b === 0)) {
          syntaxError(': values are wildcards here and must not be all-zeros');
        }
        if (!field.maskable && !mask.every((b) => b === 0xff)) {
          syntaxError(`${value}: invalid mask for field ${field.name}`);
        }
      }
      this.usable &= exactProtocols(field);
      fields.push({ field: field.name, mask });
    }
  }

  private check(): void {
    const { command, props } = this;
    if (this.group === OFPG.ANY) syntaxError('must specify a group_id');
    if (takesType(command) && !this.hadType) syntaxError('must specify a type');
    if (props.selectionMethod !== 'hash' && props.fields.length > 0) {
      syntaxError('fields may only be specified with "selection_method=hash"');
    }
    if (props.selectionMethod === '' && props.selectionMethodParam !== 0n) {
      syntaxError('selection_method_param is only allowed with "selection_method"');
    }
    if (command === 'insert_bucket' && !this.hadBucketId) {
      syntaxError('must specify a command bucket id');
    }
  }

  /** @param text from the first `bucket=` on */
  private bucketList(text: string): void {
    for (const part of text.split('bucket=').slice(1)) {
      const bucket = this.bucket(part);
      this.buckets.push(bucket);
      const weighted = this.groupType === 'select' || this.command === 'insert_bucket';
      if (!weighted && bucket.weight !== 0) {
        syntaxError('Only select groups can have bucket weights.');
      }
    }
  }

  private bucket(text: string): Bucket {
    const bucket: Bucket = {
      ...{ id: BUCKET.ALL, weight: this.groupType === 'select' ? 1 : 0 },
      ...{ watchPort: OFPP.NONE, watchGroup: OFPG.ANY, actions: [] },
    };
    const actions: string[] = [];
    const scanner = new KeyValueScanner(text);
    for (let kv = scanner.next(); kv !== null; kv = scanner.next()) {
      const action = this.bucketKey(bucket, kv.key, kv.value);
      if (action !== null) actions.push(action);
    }
    if (actions.length === 0) syntaxError('bucket must specify actions');
    const watches = bucket.watchPort !== OFPP.NONE || bucket.watchGroup !== OFPG.ANY;
    if (this.groupType === 'ff' && !watches) {
      syntaxError('fast failover bucket requires watch_port or watch_group');
    }
    const parsed = parseActions(actions.join(','), this.names);
    // As in Open vSwitch, what a bucket's actions allow replaces what was found out before.
    this.usable = parsed.usable;
    bucket.actions = parsed.actions;
    return bucket;
  }

  /** Takes a key of a bucket. @returns the text of an action, or null when it was a setting */
  private bucketKey(bucket: Bucket, key: string, value: string): string | null {
    switch (key.toLowerCase()) {
      case 'weight':
        bucket.weight = parseU16(value, 'weight');
        return null;
      case 'watch_port':
        bucket.watchPort = this.watchPort(value);
        return null;
      case 'watch_group': {
        const group = parseU32(value);
        if (group > OFPG.MAX) syntaxError(`invalid watch_group id ${group}`);
        bucket.watchGroup = group;
        return null;
      }
      case 'bucket_id': {
        const id = parseU32(value);
        if (id > BUCKET.MAX) syntaxError(`invalid bucket_id id ${id}`);
        bucket.id = id;
        this.usable &= P_LIKE_15;
        return null;
      }
      case 'action':
      case 'actions':
        return value;
      default:
        return `${key}(${value})`;
    }
  }

  private watchPort(value: string): number {
    const port = parsePort(value, this.names.ports);
    const special = port === OFPP.NONE || port === OFPP.CONTROLLER;
    if (port === null || (port >= 0xff00 && !special)) {
      return syntaxError(`${value}: invalid watch_port`);
    }
    return port;
  }
}

/** Takes a leading command off a line of a file; any prefix of its name will do. */
function leadingCommand(text: string): [command: GroupCommand, rest: string] {
  const trimmed = text.replace(/^[ \t\r\n]+/, '');
  const word = (/^[^, \t\r\n]*/.exec(trimmed) as RegExpExecArray)[0];
  const found = LEADING.find((c) => c.startsWith(word));
  return found === undefined ? ['add', trimmed] : [found, trimmed.slice(word.length)];
}

/**
 * Parses a group.
 * @param command what the group is for; it decides which keys are allowed.
 * @throws FlowSyntaxError
 */
export function parseGroupMod(
  text: string,
  command: GroupParseCommand,
  names: Names,
): ParsedGroupMod {
  const [actual, rest] = command === 'file' ? leadingCommand(text) : [command, text];
  const parser = new GroupParser(actual, names);
  const msg = parser.parse(rest);
  return { msg, usable: parser.usable };
}
