/**
 * What was dropped, by reason, over time; one click from a counter to packets that it counted.
 */
import { useEffect, useState } from 'preact/hooks';
import type { DropExamples, DropReason, Drops, System } from '../../api/index.js';
import { api, path } from '../live/api.js';
import { useTask, useTopic } from '../live/hooks.js';
import { Chart } from '../parts/chart.js';
import { PacketTable } from '../parts/packet-table.js';
import { Dialog, Panel } from '../parts/panel.js';
import { Empty, Fault, Waiting } from '../parts/signs.js';
import { count, packetRate } from '../pure/format.js';

const COLORS = ['accent', 'ink-faint', 'warn', 'bad', 'ok', 'ink'];
/** Seconds of one look, and how many looks there are until some are found. */
const LOOK_S = 2;
const LOOKS = 6;

export function DropsPage() {
  const capable = useTopic<System>('system').data?.capabilities;
  const drops = useTopic<Drops>(capable?.drops ? 'drops' : null);
  const [reason, setReason] = useState<DropReason | null>(null);
  if (capable !== undefined && !capable.drops) {
    return <Empty>This switch does not count drops by reason.</Empty>;
  }
  if (drops.data === null) return <Waiting error={drops.error} />;
  return (
    <>
      <History drops={drops.data} />
      <Reasons
        drops={drops.data}
        examples={capable?.dropExamples ?? false}
        onExamples={setReason}
      />
      {reason === null ? null : <Examples reason={reason} onClose={() => setReason(null)} />}
    </>
  );
}

function Reasons({
  drops,
  examples,
  onExamples,
}: {
  drops: Drops;
  examples: boolean;
  onExamples: (reason: DropReason) => void;
}) {
  const [all, setAll] = useState(false);
  const byCount = [...drops.reasons].sort(
    (a, b) => (b.rate ?? 0) - (a.rate ?? 0) || b.packets - a.packets,
  );
  const counted = byCount.filter(({ packets }) => packets > 0);
  const silent = byCount.length - counted.length;
  return (
    <Panel
      title="Reasons"
      flush
      tools={
        silent === 0 ? undefined : (
          <label class="soft">
            <input
              type="checkbox"
              checked={all}
              onChange={(event) => setAll(event.currentTarget.checked)}
            />{' '}
            and the {silent} that counted nothing
          </label>
        )
      }
    >
      <table>
        <thead>
          <tr>
            <th scope="col">Reason</th>
            <th scope="col">Counter</th>
            <th scope="col" class="number">
              Packets/s
            </th>
            <th scope="col" class="number">
              Packets
            </th>
            <th scope="col">Packets that were dropped</th>
          </tr>
        </thead>
        <tbody>
          {(all ? byCount : counted).map((reason) => (
            <tr key={reason.name} class={reason.packets === 0 ? 'zero' : ''}>
              <th scope="row">{reason.meaning}</th>
              <td class="mono">{reason.name}</td>
              <td class="number">{packetRate(reason.rate)}</td>
              <td class="number">{count(reason.packets)}</td>
              <td>
                {examples && reason.examples ? (
                  <button type="button" onClick={() => onExamples(reason)}>
                    Examples<span class="sr-only"> of {reason.name}</span>
                  </button>
                ) : (
                  <span class="faint">none can be kept</span>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {counted.length === 0 && !all ? <Empty>Nothing was dropped so far.</Empty> : null}
    </Panel>
  );
}

function History({ drops: { history, reasons } }: { drops: Drops }) {
  const named = new Map(reasons.map(({ name, meaning }) => [name, meaning]));
  const shown = Object.entries(history.series)
    .filter(([, values]) => values.some((value) => (value ?? 0) > 0))
    .slice(0, COLORS.length);
  return (
    <Panel
      title="Dropped packets per second"
      note={
        shown.length === 0
          ? 'none over the last two minutes'
          : shown.map(([name], index) => (
              <span key={name} class={`key c-${COLORS[index]}`}>
                {named.get(name) ?? name}
              </span>
            ))
      }
    >
      <Chart
        at={history.at}
        stepMs={history.stepMs}
        label="Dropped packets per second by reason, over the last two minutes"
        format={packetRate}
        series={shown.map(([name, values], index) => ({
          label: name,
          values,
          color: COLORS[index],
        }))}
      />
    </Panel>
  );
}

function Examples({ reason, onClose }: { reason: DropReason; onClose: () => void }) {
  const [answer, setAnswer] = useState<DropExamples | null>(null);
  const task = useTask(async () => {
    const place = `${path('drops', reason.name)}/examples?seconds=${LOOK_S}&packets=50`;
    for (let look = 0; look < LOOKS; look++) {
      const found = await api.get<DropExamples>(place);
      setAnswer(found);
      if (found.rows.length > 0) return;
    }
  });
  useEffect(() => void task.run(), [reason.name]);
  return (
    <Dialog title={`Dropped: ${reason.meaning}`} onClose={onClose} wide>
      <Fault error={task.error} />
      {task.busy ? (
        <p class="soft" role="status">
          Waiting up to {LOOK_S * LOOKS} seconds for packets that are dropped for this reason…
        </p>
      ) : null}
      {answer === null || task.busy ? null : answer.rows.length === 0 ? (
        <Empty>None came within {LOOK_S * LOOKS} seconds.</Empty>
      ) : (
        <PacketTable rows={answer.rows} />
      )}
      <div class="bar">
        <button type="button" disabled={task.busy} onClick={() => void task.run()}>
          Look again
        </button>
      </div>
    </Dialog>
  );
}
