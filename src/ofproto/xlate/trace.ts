/**
 * The record of a translation, step by step, as ofproto/trace prints it.
 *
 *     bridge("br1")                       'bridge': a heading with a rule under it
 *     -------------
 *      0. in_port=1, priority 32768       'table': has children
 *         output:2                        'action'
 *          -> forwarding to learned port  'detail'
 *          >> no input bundle, dropping   'warn'
 *          >>>> over max depth <<<<       'error'
 *                                         'bond': data alone, no line
 *
 * Not for: translating; xlate/context.ts adds nodes while it works.
 */

export type TraceNodeType =
  | 'bridge'
  | 'table'
  | 'thaw'
  | 'bucket'
  | 'action'
  | 'detail'
  | 'bond'
  | 'warn'
  | 'error';

export interface TraceNode {
  type: TraceNodeType;
  text: string;
  subs: TraceNode[];
}

/** Types that never have children stand one level further in. */
const TERMINAL: ReadonlySet<TraceNodeType> = new Set([
  'action',
  'detail',
  'warn',
  'error',
  'bucket',
]);

export function traceNode(parent: TraceNode[], type: TraceNodeType, text: string): TraceNode {
  const node: TraceNode = { type, text, subs: [] };
  parent.push(node);
  return node;
}

/** The nodes as text, every line ended. */
export function formatTrace(nodes: readonly TraceNode[], level = 0): string {
  let out = '';
  const shown = nodes.filter(({ type }) => type !== 'bond');
  for (const [i, node] of shown.entries()) {
    const more = i + 1 < shown.length || TERMINAL.has(node.type) ? 1 : 0;
    const indent = ' '.repeat((level + more) * 4);
    if (node.type === 'bridge') {
      out += `\n${indent}${node.text}\n${indent}${'-'.repeat(node.text.length)}\n`;
    } else if (node.type === 'detail') out += `${indent} -> ${node.text}\n`;
    else if (node.type === 'warn') out += `${indent} >> ${node.text}\n`;
    else if (node.type === 'error') out += `${indent} >>>> ${node.text} <<<<\n`;
    else out += `${indent}${node.text}\n`;
    out += formatTrace(node.subs, level + more + more);
  }
  return out;
}
