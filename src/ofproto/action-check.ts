/**
 * Which actions an entry or a packet-out may have: everything else is refused when it is sent, with
 * the specification's error, never ignored later.
 */
import { OFPP, type OfAction } from '../openflow/actions.js';
import { fail } from '../openflow/errors.js';
import { fieldByName } from '../packet/fields.js';
import { N_TABLES, TBL_INTERNAL } from './flow-table.js';
import { isActionSetAction } from './xlate/action-set.js';

/** Lists nest (clone in clone); deeper than this is refused. */
const NESTING_MAX = 8;

const SIMPLE: ReadonlySet<OfAction['type']> = new Set([
  'controller',
  'set_queue',
  'pop_queue',
  'strip_vlan',
  'push_vlan',
  'dec_ttl',
  'note',
  'exit',
  'set_tunnel',
  'clear_actions',
  'write_metadata',
  'conjunction',
  'debug_slow',
  'debug_recirc',
  'push_mpls',
  'pop_mpls',
  'set_mpls_ttl',
  'dec_mpls_ttl',
  'sample',
  'fin_timeout',
]);

/** Actions whose error says what exactly there is none of. */
const MISSING: Partial<Record<OfAction['type'], Parameters<typeof fail>[0]>> = {};

/** What actions may name. */
interface GroupsAndMeters {
  groups: { get(id: number): object | null };
  meters: { get(id: number): object | null };
}

export interface ActionContext {
  /** The table of the entry; null for a packet-out. */
  table: number | null;
  /** The bridge whose groups and meters must be there; null: they may come later. */
  ofproto: GroupsAndMeters | null;
}

/** @throws OfpError for the first action that cannot be executed */
export function checkActions(actions: readonly OfAction[], context: ActionContext): void {
  checkList(actions, context, 0);
}

function checkList(actions: readonly OfAction[], context: ActionContext, depth: number): void {
  if (depth > NESTING_MAX) fail('OFPBAC_UNSUPPORTED_ORDER', 'actions nested too deep');
  for (const action of actions) checkAction(action, context, depth);
}

function checkAction(action: OfAction, context: ActionContext, depth: number): void {
  if (SIMPLE.has(action.type)) return;
  switch (action.type) {
    case 'output':
    case 'output_trunc':
    case 'enqueue':
      checkPort(action.port);
      return;
    case 'output_reg':
      checkField(action.src.field);
      return;
    case 'set_field':
      checkTarget(action.field);
      return;
    case 'move':
      checkField(action.src.field);
      checkTarget(action.dst.field);
      return;
    case 'stack_push':
      checkField(action.sub.field);
      return;
    case 'stack_pop':
      checkTarget(action.sub.field);
      return;
    case 'resubmit':
      if (action.ct === true) unsupported(action);
      return;
    case 'goto_table':
      checkGoto(action.table, context.table);
      return;
    case 'group':
      if (context.ofproto !== null && context.ofproto.groups.get(action.group) === null) {
        fail('OFPBAC_BAD_OUT_GROUP');
      }
      return;
    case 'meter':
      if (context.ofproto?.meters.get(action.meter) == null) fail('OFPMMFC_INVALID_METER');
      return;
    case 'multipath':
      checkTarget(action.multipath.dst.field);
      return;
    case 'bundle':
      if (action.bundle.dst !== undefined) checkTarget(action.bundle.dst.field);
      return;
    case 'check_pkt_larger':
      checkTarget(action.dst.field);
      return;
    case 'learn':
      checkLearn(action.learn);
      return;
    case 'clone':
      checkList(action.actions, context, depth + 1);
      return;
    case 'write_actions':
      if (!action.actions.every(isActionSetAction)) unsupported(action);
      checkList(action.actions, context, depth + 1);
      return;
    default:
      unsupported(action);
  }
}

function checkLearn(learn: Extract<OfAction, { type: 'learn' }>['learn']): void {
  if (learn.table >= TBL_INTERNAL) fail('OFPBAC_BAD_ARGUMENT', `table ${learn.table}`);
  if (learn.resultDst !== undefined) checkTarget(learn.resultDst.field);
  for (const { src, dst } of learn.specs) {
    if ('field' in src) checkField(src.field);
    if (dst.type === 'match') checkField(dst.sub.field);
    else if (dst.type === 'load') checkTarget(dst.sub.field);
  }
}

function unsupported(action: OfAction): never {
  fail(MISSING[action.type] ?? 'OFPBAC_BAD_TYPE', `action ${action.type} is not supported`);
}

/** Ports need not exist yet; reserved numbers must be known ones. */
function checkPort(port: number): void {
  if (port === OFPP.UNSET) fail('OFPBAC_BAD_OUT_PORT');
  if (port > OFPP.MAX && port < OFPP.IN_PORT) fail('OFPBAC_BAD_OUT_PORT');
}

function checkField(name: string): void {
  const field = fieldByName(name);
  if (field === undefined) fail('OFPBAC_BAD_SET_TYPE', `no field ${name}`);
  // No packet has tunnel options here, and NSH is only looked at.
  if (field.option !== undefined) fail('NXFMFC_INVALID_TLV_FIELD', name);
}

function checkTarget(name: string): void {
  checkField(name);
  if (name.startsWith('nsh_')) fail('OFPBAC_BAD_SET_ARGUMENT', `${name} cannot be changed`);
}

/** goto_table leads forward only: OpenFlow 1.5, section 5.1.1. */
function checkGoto(target: number, from: number | null): void {
  if (target >= N_TABLES || (from !== null && target <= from)) fail('OFPBIC_BAD_TABLE_ID');
}
