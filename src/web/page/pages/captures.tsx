/**
 * Captures: started here, looked at here, downloaded as pcapng.
 */
import { useEffect, useState } from 'preact/hooks';
import type { Capture, CaptureRequest, Packets, System } from '../../api/index.js';
import { api, path } from '../live/api.js';
import { useTask, useTopic } from '../live/hooks.js';
import { usePorts } from '../live/ports.js';
import { Choice, Filter, TextField } from '../parts/fields.js';
import { PacketTable } from '../parts/packet-table.js';
import { Panel } from '../parts/panel.js';
import { Empty, Fault, Sign } from '../parts/signs.js';
import { bytes, count, plural, timeOfDay } from '../pure/format.js';
import { href, type Route } from '../pure/routes.js';

const SECONDS = ['5', '10', '30', '60'];
const PACKETS_SHOWN = 500;

export function CapturesPage({ route }: { route: Route }) {
  const system = useTopic<System>('system').data;
  const captures = useTopic<Capture[]>('captures').data ?? [];
  const chosen = captures.find(({ id }) => id === route.path[0]) ?? null;
  if (system !== null && !system.capabilities.capture) {
    return <Empty>Captures are not possible here: the switch runs no tcpdump.</Empty>;
  }
  return (
    <>
      <Start port={route.query.port ?? ''} />
      <List captures={captures} chosen={chosen} />
      {chosen === null ? null : <Look key={chosen.id} capture={chosen} />}
    </>
  );
}

function Start({ port: wanted }: { port: string }) {
  const ports = usePorts().data ?? [];
  const [port, setPort] = useState(wanted);
  const [filter, setFilter] = useState('');
  const [seconds, setSeconds] = useState('10');
  const name = port === '' ? (ports[0]?.name ?? '') : port;
  const task = useTask(async () => {
    const request: CaptureRequest = { port: name, seconds: Number(seconds) };
    if (filter.trim() !== '') request.filter = filter.trim();
    const capture = await api.post<Capture>('captures', request);
    location.hash = href('captures', [capture.id]);
  });
  return (
    <Panel title="Capture the packets of a port">
      <form
        class="bar form-bar"
        onSubmit={(event) => {
          event.preventDefault();
          void task.run();
        }}
      >
        <Choice
          label="Port"
          value={name}
          onChange={setPort}
          choices={ports.map((p) => [p.name, `${p.name} (${p.bridge})`] as const)}
        />
        <TextField
          label="Filter, as for tcpdump"
          value={filter}
          onChange={setFilter}
          placeholder="icmp or arp"
          mono
        />
        <Choice
          label="At most"
          value={seconds}
          onChange={setSeconds}
          choices={SECONDS.map((s) => [s, `${s} seconds`] as const)}
        />
        <button type="submit" class="primary" disabled={task.busy || name === ''}>
          Start
        </button>
      </form>
      <Fault error={task.error} />
    </Panel>
  );
}

function List({ captures, chosen }: { captures: Capture[]; chosen: Capture | null }) {
  return (
    <Panel title="Captures" flush>
      {captures.length === 0 ? (
        <Empty>None yet.</Empty>
      ) : (
        <table>
          <thead>
            <tr>
              {['Port', 'Filter', 'Started', 'State', 'Packets', 'Bytes', ''].map((title) => (
                <th scope="col" key={title}>
                  {title === '' ? <span class="sr-only">What to do</span> : title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {captures.map((capture) => (
              <tr key={capture.id} class={capture.id === chosen?.id ? 'current' : ''}>
                <th scope="row">
                  <a href={href('captures', [capture.id])}>{capture.port}</a>
                </th>
                <td class="mono">{capture.filter}</td>
                <td>{timeOfDay(capture.startedAt).slice(0, 8)}</td>
                <td>
                  <CaptureSign capture={capture} />
                </td>
                <td>{count(capture.packets)}</td>
                <td>{bytes(capture.bytes)}</td>
                <td>
                  <Download capture={capture} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function CaptureSign({ capture: { state, error, seconds } }: { capture: Capture }) {
  if (state === 'failed') return <Sign tone="bad">{error ?? 'failed'}</Sign>;
  if (state === 'done') return <Sign tone="quiet">done</Sign>;
  return <Sign tone="accent">running, at most {seconds} s</Sign>;
}

function Download({ capture }: { capture: Capture }) {
  const name = `${capture.port}-${capture.id}.pcapng`;
  const task = useTask(() => api.download(`${path('captures', capture.id)}.pcapng`, name));
  if (capture.state === 'failed') return null;
  return (
    <>
      <button type="button" disabled={task.busy} onClick={() => void task.run()}>
        Download<span class="sr-only"> {name}</span>
      </button>
      <Fault error={task.error} />
    </>
  );
}

function Look({ capture }: { capture: Capture }) {
  const [packets, setPackets] = useState<Packets | null>(null);
  const [filter, setFilter] = useState('');
  const task = useTask(async () => {
    const place = `${path('captures', capture.id)}/packets?limit=${PACKETS_SHOWN}`;
    setPackets(await api.get<Packets>(place));
  });
  useEffect(() => void task.run(), [capture.packets, capture.state]);
  return (
    <Panel
      title={`Packets of ${capture.port}`}
      note={packets === null ? undefined : plural(packets.total, 'packet')}
      tools={<Filter value={filter} onChange={setFilter} hint="Address, protocol" />}
    >
      <Fault error={task.error} />
      {packets === null ? null : (
        <PacketTable
          rows={packets.rows}
          port={capture.port === 'drops' ? undefined : capture.port}
          filter={filter}
        />
      )}
    </Panel>
  );
}
