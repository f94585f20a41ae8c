/**
 * One flow entry in full, and what can be done with it.
 */
import type { FlowRow } from '../../api/index.js';
import { api, path } from '../live/api.js';
import { useTask } from '../live/hooks.js';
import { flowText, matchText } from '../pure/flow-text.js';
import { bitRate, bytes, count, duration, packetRate } from '../pure/format.js';
import { href } from '../pure/routes.js';
import { Dialog } from './panel.js';
import { Facts, Fault, Figure } from './signs.js';

export function FlowDialog({
  flow,
  bridge,
  writable,
  onEdit,
  onClose,
}: {
  flow: FlowRow;
  bridge: string;
  writable: boolean;
  onEdit: (flow: string) => void;
  onClose: () => void;
}) {
  const remove = useTask(async () => {
    await api.del(`${path('bridges', bridge)}/flows`, { flow: matchText(flow), strict: true });
    onClose();
  });
  return (
    <Dialog title={`Flow in table ${flow.table}`} onClose={onClose} wide>
      <div class="figures">
        <Figure title="Packets" note={`${packetRate(flow.pps)}/s`}>
          {count(flow.packets)}
        </Figure>
        <Figure title="Bytes" note={bitRate(flow.bps)}>
          {bytes(flow.bytes)}
        </Figure>
        <Figure title="Age">{duration(flow.duration)}</Figure>
      </div>
      <pre class="code-block">{flowText(flow)}</pre>
      <Facts facts={factsOf(flow)} />
      <Fault error={remove.error} />
      <div class="bar">
        <a class="button" href={href('trace', [], { bridge, flow: flow.match })}>
          Trace such a packet
        </a>
        <a class="button" href={href('flows', [bridge], { table: flow.table })}>
          Table {flow.table}
        </a>
        <span class="grow" />
        {writable ? (
          <>
            <button type="button" onClick={() => onEdit(flowText(flow))}>
              Edit
            </button>
            <button
              type="button"
              class="danger"
              disabled={remove.busy}
              onClick={() => void remove.run()}
            >
              Delete
            </button>
          </>
        ) : null}
      </div>
    </Dialog>
  );
}

function factsOf(flow: FlowRow): [string, string][] {
  const timeout = (s: number): string => (s === 0 ? 'never' : `${s} s`);
  const facts: [string, string][] = [
    ['Priority', `${flow.priority}`],
    ['Cookie', flow.cookie],
    ['Idle timeout', timeout(flow.idleTimeout)],
    ['Hard timeout', timeout(flow.hardTimeout)],
  ];
  if (flow.idleAge !== null) facts.push(['Last packet', `${duration(flow.idleAge)} ago`]);
  if (flow.flags.length > 0) facts.push(['Flags', flow.flags.join(', ')]);
  return facts;
}
