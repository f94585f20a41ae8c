/**
 * The forwarding workers, the receive queues that each reads, and the transmit queues of ports.
 */
import type { PortQueues, System, TxQueue, Worker, Workers } from '../../api/index.js';
import { useTopic } from '../live/hooks.js';
import { Chart } from '../parts/chart.js';
import { Panel } from '../parts/panel.js';
import { Empty, Level, Sign, Waiting } from '../parts/signs.js';
import { count, packetRate, percent, short } from '../pure/format.js';

export function WorkersPage() {
  const capable = useTopic<System>('system').data?.capabilities;
  const workers = useTopic<Workers>(capable?.workers ? 'workers' : null);
  const queues = useTopic<PortQueues[]>(capable?.queues ? 'queues' : null);
  if (capable !== undefined && !capable.workers) {
    return <Empty>This switch does not tell about its workers.</Empty>;
  }
  if (workers.data === null) return <Waiting error={workers.error} />;
  return (
    <>
      <Panel title="Workers" flush>
        <WorkerTable workers={workers.data.workers} />
      </Panel>
      <Panel title="Packets per second of each worker">
        <History workers={workers.data} />
      </Panel>
      <Panel title="Transmit queues" flush>
        {capable?.queues === false ? (
          <Empty>This switch does not tell about its transmit queues.</Empty>
        ) : queues.data === null ? (
          <Waiting error={queues.error} />
        ) : (
          <TxQueues ports={queues.data} />
        )}
      </Panel>
    </>
  );
}

const workerName = ({ cpu }: Worker, index: number): string =>
  cpu < 0 ? `worker ${index}` : `CPU ${cpu}`;

function WorkerTable({ workers }: { workers: Worker[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Worker</th>
          <th scope="col">Load</th>
          <th scope="col" class="number">
            Packets/s
          </th>
          <th scope="col" class="number">
            Cycles/packet
          </th>
          <th scope="col" class="number">
            Packets/batch
          </th>
          <th scope="col" class="number">
            Cache
          </th>
          <th scope="col" class="number">
            Megaflows
          </th>
          <th scope="col" class="number">
            Upcalls
          </th>
          <th scope="col" class="number">
            Lost upcalls
          </th>
          <th scope="col">Receive queues (load)</th>
        </tr>
      </thead>
      <tbody>
        {workers.map((worker, index) => (
          <tr key={`${worker.cpu}/${index}`}>
            <th scope="row">
              {workerName(worker, index)} {worker.alive ? null : <Sign tone="bad">dead</Sign>}
              {worker.isolated ? <Sign tone="quiet">isolated</Sign> : null}
            </th>
            <td>
              <Level share={worker.load ?? 0} label="load" /> {percent(worker.load)}
            </td>
            <td class="number">{packetRate(worker.pps)}</td>
            <td class="number">{short(worker.cyclesPerPacket)}</td>
            <td class="number">{packetRate(worker.packetsPerBatch)}</td>
            <td class="number">{percent(worker.hits?.cache)}</td>
            <td class="number">{percent(worker.hits?.megaflow)}</td>
            <td class="number">{percent(worker.hits?.upcall)}</td>
            <td class="number">{count(worker.totals.lostUpcalls)}</td>
            <td class="wrap">{worker.queues.map(queueText).join(', ')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function queueText({ port, queue, enabled, load }: Worker['queues'][number]): string {
  const state = enabled ? (load === null ? '' : ` (${percent(load)})`) : ' (off)';
  return `${port}:${queue}${state}`;
}

const COLORS = ['accent', 'ink-faint', 'ok', 'warn'];

function History({ workers: { workers, history } }: { workers: Workers }) {
  const label = 'Packets per second of each worker over the last two minutes';
  return (
    <Chart
      at={history.at}
      stepMs={history.stepMs}
      label={label}
      format={packetRate}
      series={workers.map((worker, index) => ({
        label: workerName(worker, index),
        values: history.series[`pps:${worker.cpu}`] ?? [],
        color: COLORS[index % COLORS.length],
      }))}
    />
  );
}

function TxQueues({ ports }: { ports: PortQueues[] }) {
  const rows = ports.flatMap((port) => [
    ...port.queues.map((queue) => ({ port, queue, kind: 'queue' })),
    ...port.classes.map((queue) => ({ port, queue, kind: 'class' })),
  ]);
  if (rows.length === 0) return <Empty>No port has transmit queues of its own.</Empty>;
  const used = ({ queue }: { queue: TxQueue }): boolean => queue.packets > 0 || queue.dropped > 0;
  const shown = rows.some(used) ? rows.filter(used) : rows;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Port</th>
          <th scope="col">Discipline</th>
          <th scope="col">Queue</th>
          <th scope="col">Worker</th>
          <th scope="col" class="number">
            Packets/s
          </th>
          <th scope="col" class="number">
            Packets
          </th>
          <th scope="col" class="number">
            Waiting
          </th>
          <th scope="col" class="number">
            Dropped
          </th>
          <th scope="col" class="number">
            Stops
          </th>
          <th scope="col">Chosen by</th>
        </tr>
      </thead>
      <tbody>
        {shown.map(({ port, queue, kind }) => (
          <tr key={`${port.port} ${kind} ${queue.queue} ${queue.cpu}`}>
            <th scope="row">{port.port}</th>
            <td>{port.discipline}</td>
            <td>{kind === 'class' ? `class ${queue.queue}` : queue.queue}</td>
            <td>{queue.cpu < 0 ? 'any' : `CPU ${queue.cpu}`}</td>
            <td class="number">{packetRate(queue.pps)}</td>
            <td class="number">{count(queue.packets)}</td>
            <td class="number">{count(queue.waiting)}</td>
            <td class="number">{count(queue.dropped)}</td>
            <td class="number">{count(queue.stops)}</td>
            <td>{reasons(queue)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function reasons({ reasons: byReason }: TxQueue): string {
  return Object.entries(byReason)
    .filter(([, packets]) => packets > 0)
    .map(([reason, packets]) => `${reason} ${count(packets)}`)
    .join(', ');
}
