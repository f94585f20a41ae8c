/**
 * A trace as steps that can be drawn: from ofproto/trace --json, or of Open vSwitch from its text.
 *
 *     table 0 ── entry ── action ── table 1 ── NORMAL ── detail...
 *     output p1 ── bond bond0 ── queue 2
 */
import type { Bonds, TraceAnswer, TracePass, TraceStep } from '../api/index.js';

/** A node as ofproto/trace --json has it. */
interface RawStep {
  type: string;
  text: string;
  subs: RawStep[];
}

interface RawPass {
  bridge: string;
  recirculation: number | null;
  flow: string;
  steps: RawStep[];
  final_flow: string | null;
  megaflow: string;
  datapath_actions: string;
  forwarded: boolean;
  error: string | null;
  slow_path: string | null;
  drops: { where: string; why: string }[];
}

const LOST = /dropping|skipping|no live bucket|does not take|no input bundle|refused|No match/;
const DEPTH_MAX = 80;

/** What is known of ports: which there are, and which bond each is a member of. */
export interface PortFacts {
  bridge: string;
  names: ReadonlySet<string>;
  bonds: Bonds;
}

/** @param text of ofproto/trace --json --names */
export function traceFromJson(text: string, facts: PortFacts): TraceAnswer {
  const { passes } = JSON.parse(text) as { passes: RawPass[] };
  const choices = passes.flatMap(({ steps }) => bondChoices(steps));
  return withOutputs(
    passes.map(
      (pass): TracePass => ({
        bridge: pass.bridge,
        recirculation: pass.recirculation,
        flow: pass.flow,
        steps: stepsOf(pass.steps, 0),
        finalFlow: pass.final_flow,
        megaflow: pass.megaflow,
        datapathActions: pass.datapath_actions,
        forwarded: pass.forwarded,
        error: pass.error,
        slowPath: pass.slow_path,
        drops: pass.drops,
      }),
    ),
    facts,
    choices,
  );
}

/** Why bonds chose members: said of the outputs, not among the steps. */
function bondChoices(steps: readonly RawStep[]): string[] {
  return steps.flatMap(({ type, text, subs }) => [
    ...(type === 'bond' ? [text] : []),
    ...bondChoices(subs),
  ]);
}

/** @param text of ofproto/trace */
export function traceFromText(text: string, facts: PortFacts): TraceAnswer {
  const line = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const steps = tree(text);
  const actions = line('Datapath actions');
  const drops = lost(steps).map((why) => ({ where: '', why }));
  const final = line('Final flow');
  const pass: TracePass = {
    bridge: facts.bridge,
    recirculation: null,
    flow: line('Flow'),
    steps,
    finalFlow: final === '' || final === 'unchanged' ? null : final,
    megaflow: line('Megaflow'),
    datapathActions: actions,
    forwarded: actions !== 'drop' && actions !== '',
    error: /^Translation failed \((.*)\)/m.exec(text)?.[1] ?? null,
    slowPath:
      /^This flow is handled by the userspace slow path because it:\n\s*-?\s*(.*)$/m.exec(
        text,
      )?.[1] ?? null,
    drops: actions === 'drop' && drops.length === 0 ? [NOWHERE] : drops,
  };
  return withOutputs([pass], facts);
}

const NOWHERE = { where: '', why: 'none of the actions sends the packet anywhere' };

function stepsOf(steps: readonly RawStep[], depth: number): TraceStep[] {
  if (depth > DEPTH_MAX) return [];
  const shown = steps.filter(({ type }) => type !== 'bond');
  return shown.map(({ type, text, subs }) => ({
    ...facts(type, text),
    steps: stepsOf(subs, depth + 1),
  }));
}

type StepFacts = Omit<TraceStep, 'steps'>;

/** What kind of step it is, from its type and its text. */
function facts(type: string, text: string): StepFacts {
  switch (type) {
    case 'bridge':
      return { kind: 'bridge', text: text.replace(/^bridge\("(.*)"\)$/, '$1') };
    case 'table': {
      const [, table, entry] = /^\s*(\d+)\. (.*)$/s.exec(text) ?? [];
      if (table === undefined) return { kind: 'table', text: text.trim() };
      return { kind: 'table', text: `table ${table}`, table: Number(table), entry };
    }
    case 'warn':
      return { kind: LOST.test(text) ? 'drop' : 'warning', text };
    case 'error':
      return { kind: 'error', text };
    case 'action':
      return actionFacts(text);
    default:
      return detailFacts(text);
  }
}

function actionFacts(text: string): StepFacts {
  if (/^NORMAL$/i.test(text)) return { kind: 'normal', text: 'NORMAL' };
  if (/^drop$/i.test(text)) return { kind: 'drop', text: 'drop' };
  if (/^(set_queue|enqueue)\b/.test(text)) return { kind: 'queue', text };
  return { kind: 'action', text };
}

function detailFacts(text: string): StepFacts {
  if (LOST.test(text)) return { kind: 'drop', text };
  if (/^queue = /.test(text)) return { kind: 'queue', text };
  return { kind: /\bbond\b/.test(text) ? 'bond' : 'detail', text };
}

/** Lines by their indentation. */
function tree(text: string): TraceStep[] {
  const top: TraceStep[] = [];
  const open: { indent: number; steps: TraceStep[] }[] = [{ indent: -1, steps: top }];
  for (const line of text.split('\n')) {
    if (/^\s*(-+)?$/.test(line)) continue;
    if (/^(Final flow|Megaflow|Datapath actions|Flow|Translation failed|This flow)/.test(line)) {
      continue;
    }
    const indent = /^ */.exec(line)?.[0].length ?? 0;
    const body = line.trim();
    const type = typeOf(body);
    const words = body.replace(/^-> |^>>>> ?|^>> | ?<<<<$/g, '');
    const step: TraceStep = { ...facts(type, words), steps: [] };
    while (open.length > 1 && (open.at(-1)?.indent ?? -1) >= indent) open.pop();
    open.at(-1)?.steps.push(step);
    if (open.length < DEPTH_MAX) open.push({ indent, steps: step.steps });
  }
  return top;
}

function typeOf(line: string): string {
  if (/^bridge\(".*"\)$/.test(line)) return 'bridge';
  if (/^\d+\. /.test(line)) return 'table';
  if (line.startsWith('->')) return 'detail';
  if (line.startsWith('>>>>')) return 'error';
  if (line.startsWith('>>')) return 'warn';
  return 'action';
}

function lost(steps: readonly TraceStep[]): string[] {
  return steps.flatMap(({ kind, text, steps: subs }) => [
    ...(kind === 'drop' ? [text] : []),
    ...lost(subs),
  ]);
}

/** Adds where copies leave: to the answer, and as the last steps of their pass. */
function withOutputs(
  passes: TracePass[],
  { names, bonds }: PortFacts,
  choices: readonly string[] = [],
): TraceAnswer {
  const outputs: TraceAnswer['outputs'] = [];
  for (const pass of passes) {
    // After a recirculation the packet still has the queue that was set before.
    let queue = queueOf(/\bskb_priority=(0x[0-9a-f]+|\d+)/.exec(pass.flow)?.[1]);
    for (const action of topLevel(pass.datapathActions)) {
      queue = queueOf(/^set\(skb_priority\((0x[0-9a-f]+|\d+)\)\)$/.exec(action)?.[1]) ?? queue;
      const spread = /^lb_output\(\d+\)$/.test(action);
      const member = spread ? spreadTo(choices, bonds) : null;
      if (spread && member === null) pass.steps.push(HASHED);
      const port = member ?? action.replace(/^"(.*)"$/, '$1');
      if (!names.has(port)) continue;
      const bond = bonds.find(({ members }) => members.some(({ name }) => name === port));
      outputs.push({ port, bond: bond?.name ?? null, queue });
      const why = choices.find(
        (text) => text.startsWith(`${bond?.name}: `) && text.endsWith(` ${port}`),
      );
      pass.steps.push(outputStep(port, bond, queue, why));
    }
  }
  return { passes, outputs };
}

/** A queue as a priority: the number itself, or, of the kernel's datapath, a handle of tc's. */
function queueOf(priority: string | undefined): number | null {
  if (priority === undefined || Number(priority) === 0) return null;
  const number = Number(priority);
  return number < 0x10000 ? number : Math.max(0, (number & 0xffff) - 1);
}

/** The member that the datapath's table leads to. */
function spreadTo(choices: readonly string[], bonds: Bonds): string | null {
  const isSpread = (text: string) =>
    bonds.some(({ name, mode }) => mode === 'balance-tcp' && text.startsWith(`${name}: `));
  return / leads to (\S+)$/.exec(choices.find(isSpread) ?? '')?.[1] ?? null;
}

const HASHED: TraceStep = {
  kind: 'bond',
  text: 'the datapath chooses a member of the bond by the hash of addresses and ports',
  steps: [],
};

function outputStep(
  port: string,
  bond: Bonds[number] | undefined,
  queue: number | null,
  why?: string,
): TraceStep {
  const steps: TraceStep[] = [];
  if (bond) steps.push({ kind: 'bond', text: why ?? bondText(port, bond), steps: [] });
  if (queue !== null) steps.push({ kind: 'queue', text: `queue ${queue}`, steps: [] });
  return { kind: 'output', text: `out by ${port}`, port, steps };
}

/** Why this member. */
function bondText(port: string, { name, mode, members }: Bonds[number]): string {
  const why = members.find((member) => member.name === port)?.why ?? '';
  const head = `${name} (${mode})`;
  if (mode === 'active-backup') return `${head} uses ${port}${why === '' ? '' : `: ${why}`}`;
  if (mode === 'balance-slb') {
    return `${head} chooses by source address and VLAN: ${port} has that bucket`;
  }
  // A trace has no hash: only the datapath computes it.
  return `${head} chooses by the hash of addresses and ports, which a trace takes for 0: ${port}`;
}

/** 'push_vlan(...),p1,p2' cut at commas outside of parentheses. */
export function topLevel(actions: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i <= actions.length; i++) {
    const c = actions[i];
    if (c === '(') depth += 1;
    else if (c === ')') depth -= 1;
    else if (c === undefined || (c === ',' && depth === 0)) {
      parts.push(actions.slice(from, i).trim());
      from = i + 1;
    }
  }
  return parts.filter((part) => part !== '');
}
