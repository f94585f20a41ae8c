/**
 * A trace for people: the steps, indented as the tables nest, then what became of the packet.
 *
 *     in_port=1,...                                  the packet
 *       bridge br0
 *         table 0: in_port=1, priority 100
 *           output:2
 *     sent: 2
 *     not forwarded: bridge br0, table 1, ...: why
 */

export interface TraceStep {
  type: string;
  text: string;
  subs: TraceStep[];
}

/** One way through the tables, as ofproto/trace --json gives it. */
export interface TracePassData {
  bridge: string;
  recirculation: number | null;
  flow: string;
  steps: TraceStep[];
  final_flow: string | null;
  megaflow: string;
  datapath_actions: string;
  forwarded: boolean;
  error: string | null;
  slow_path: string | null;
  drops: { where: string; why: string }[];
}

export interface TraceAnswer {
  passes: TracePassData[];
}

function stepLine({ type, text }: TraceStep): string {
  switch (type) {
    case 'bridge':
      return text.replace(/^bridge\("(.*)"\)$/, 'bridge $1');
    case 'table':
      return text.replace(/^ *(\d+)\. /, 'table $1: ').replace(/^--\. (.*):$/, '$1');
    case 'bond':
    case 'detail':
      return `-> ${text}`;
    case 'warn':
    case 'error':
      return `!! ${text}`;
    default:
      return text;
  }
}

function stepLines(steps: readonly TraceStep[], depth: number): string[] {
  return steps.flatMap((step) => [
    `${'  '.repeat(depth)}${stepLine(step)}`,
    ...stepLines(step.subs, depth + 1),
  ]);
}

function passText(pass: TracePassData): string {
  const lines: string[] = [];
  if (pass.recirculation !== null) lines.push(`again, after recirculation ${pass.recirculation}:`);
  lines.push(pass.flow, ...stepLines(pass.steps, 1), '');
  if (pass.final_flow !== null) lines.push(`becomes:   ${pass.final_flow}`);
  lines.push(`consulted: ${pass.megaflow}`);
  lines.push(`${pass.forwarded ? 'sent:      ' : 'dropped:   '}${pass.datapath_actions}`);
  if (pass.slow_path !== null) lines.push(`slow path: ${pass.slow_path}`);
  for (const { where, why } of pass.drops) {
    lines.push(`why not:   ${where === '' ? '' : `${where}: `}${why}`);
  }
  return `${lines.join('\n')}\n`;
}

export function traceText({ passes }: TraceAnswer): string {
  return passes.map(passText).join('\n');
}
