/** Topic `datapath-flows`: megaflows, out of the text of dpctl/dump-flows. */
import { DatapathFlowPage, type DatapathFlowRow, PageQuery } from '../api/index.js';
import type { Subject } from '../subject/subject.js';
import type { Resource } from '../topics/resource.js';
import { Snapshot } from './snapshot.js';

export function datapathFlowsResource(subject: Subject): Resource {
  const snapshot = new Snapshot<DatapathFlowRow>({
    clock: subject.clock,
    read: () => readAll(subject),
    text: ({ match, actions }) => `${match} ${actions}`,
    numbers: ['packets', 'bytes', 'pps', 'bps', 'used'],
    texts: ['match', 'actions'],
    usual: (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0),
  });
  return {
    topic: 'datapath-flows',
    path: '/datapath/flows',
    summary: 'Flows of the datapath (megaflows), a page at a time, with their rates',
    query: PageQuery,
    answer: DatapathFlowPage,
    intervalMs: 1000,
    tables: [],
    read: (query) => snapshot.page(query as PageQuery),
  };
}

async function readAll({ control }: Subject): Promise<DatapathFlowRow[]> {
  const datapaths = (await control.ask('dpctl/dump-dps')).split('\n').filter(Boolean);
  const texts = await Promise.all(
    datapaths.map((name) => control.askAlone('dpctl/dump-flows', ['-m', '--names', name], 30_000)),
  );
  return texts.flatMap(parseDatapathFlows);
}

/**
 * Lines of dump-flows -m: 'ufid:..., MATCH, packets:1, bytes:98, used:0.5s, flags:S, dp:ovs,
 * actions:p1'.
 */
export function parseDatapathFlows(text: string): DatapathFlowRow[] {
  return text.split('\n').flatMap((line) => {
    const row = parseLine(line);
    return row ? [row] : [];
  });
}

function parseLine(line: string): DatapathFlowRow | null {
  const actionsAt = line.indexOf(', actions:');
  const countsAt = line.indexOf(', packets:');
  if (actionsAt < 0 || countsAt < 0) return null;
  const head = line.slice(0, countsAt).replace(/^ufid:[0-9a-f-]+, /, '');
  const facts = line.slice(countsAt + 2, actionsAt);
  const count = (name: string) => Number(new RegExp(`\\b${name}:(\\d+)`).exec(facts)?.[1] ?? 0);
  const used = /\bused:([\d.]+)s/.exec(facts)?.[1];
  return {
    id: /^ufid:([0-9a-f-]+)/.exec(line)?.[1] ?? head,
    match: withoutWildcards(head),
    actions: line.slice(actionsAt + ', actions:'.length).replace(/, dp-extra-info:.*$/, ''),
    packets: count('packets'),
    bytes: count('bytes'),
    pps: null,
    bps: null,
    used: used === undefined ? null : Number(used),
    offloaded: /\boffloaded:(yes|partial)/.test(facts),
  };
}

/** -m also prints what is not matched: 'ct_state(0/0)', 'eth(src=.../00:00:00:00:00:00)'. */
function withoutWildcards(match: string): string {
  return match
    .replace(/([(,])[\w-]+=[^(),/]+\/(?:0x0|0(?:\.0\.0\.0)?|00(?::00)+|::)(?=[,)])/g, '$1')
    .replace(/(?<=\(),+/g, '')
    .replace(/,+(?=[,)])/g, '')
    .replace(/(?:^|,)\w+\((?:[^()/]*\/(?:0x0|0))?\)/g, '')
    .replace(/^,/, '');
}
