/**
 * The wall screen: what passes now, what is wrong, the busiest ports, the bonds.
 */
import type { Bond, Bridges, Controllers, Drops, Port, System, Workers } from '../../api/index.js';
import { useTopic } from '../live/hooks.js';
import { usePortHistories } from '../live/ports.js';
import { BondLine } from '../parts/bond-line.js';
import { Chart } from '../parts/chart.js';
import { Panel } from '../parts/panel.js';
import { Empty, Figure, Level, Sign, Waiting } from '../parts/signs.js';
import { Spark } from '../parts/spark.js';
import { bitRate, count, packetRate, percent, short } from '../pure/format.js';
import { href } from '../pure/routes.js';
import { busiest, sumHistory, sumRates } from '../pure/totals.js';
import { type Trouble, troubles } from '../pure/troubles.js';

const PORTS_SHOWN = 10;

export function OverviewPage() {
  const system = useTopic<System>('system');
  const capable = system.data?.capabilities;
  const ports = usePortHistories();
  const bonds = useTopic<Bond[]>('bonds').data ?? [];
  const bridges = useTopic<Bridges>('bridges').data ?? [];
  const controllers = useTopic<Controllers>('controllers').data ?? [];
  const drops = useTopic<Drops>(capable?.drops ? 'drops' : null).data;
  const workers = useTopic<Workers>(capable?.workers ? 'workers' : null).data;
  if (ports.data === null) return <Waiting error={ports.error} />;
  const list = troubles({ ports: ports.data, bonds, controllers, workers: workers?.workers ?? [] });
  return (
    <>
      <Panel title="Now">
        <Figures ports={ports.data} bridges={bridges} drops={drops} workers={workers} />
      </Panel>
      <div class="grid side">
        <Traffic ports={ports.data} />
        <Troubles list={list} />
      </div>
      <div class="grid two">
        <BusyPorts ports={ports.data} />
        <div class="grid">
          <Bonds bonds={bonds} />
          {workers === null ? null : <Load workers={workers} />}
        </div>
      </div>
    </>
  );
}

function Figures({
  ports,
  bridges,
  drops,
  workers,
}: {
  ports: Port[];
  bridges: Bridges;
  drops: Drops | null;
  workers: Workers | null;
}) {
  const rates = sumRates(ports);
  const up = ports.filter(({ link }) => link === 'up').length;
  const flows = bridges.reduce((sum, bridge) => sum + (bridge.flows ?? 0), 0);
  const dropped = drops?.reasons.reduce((sum, { rate }) => sum + (rate ?? 0), 0) ?? null;
  return (
    <div class="figures">
      <Figure title="Into the switch" note={`${packetRate(rates?.rxPps)} packets/s`}>
        {bitRate(rates?.rxBps)}
      </Figure>
      <Figure title="Out of the switch" note={`${packetRate(rates?.txPps)} packets/s`}>
        {bitRate(rates?.txBps)}
      </Figure>
      <Figure title="Dropped" note="packets/s">
        {packetRate(dropped ?? rates?.drops)}
      </Figure>
      <Figure title="Ports" note={`of ${count(ports.length)} up, on ${bridges.length} bridges`}>
        {count(up)}
      </Figure>
      <Figure title="Flow entries">{short(flows)}</Figure>
      {workers?.flows ? (
        <Figure title="Datapath flows" note={`of ${short(workers.flows.limit)}`}>
          {short(workers.flows.current)}
        </Figure>
      ) : null}
    </div>
  );
}

function Traffic({ ports }: { ports: Port[] }) {
  const total = sumHistory(ports);
  return (
    <Panel
      title="Traffic of all ports"
      note={
        <>
          <span class="key">in</span> <span class="key tx">out</span>
        </>
      }
    >
      <Chart
        size="tall"
        at={total.at}
        stepMs={total.stepMs}
        label="Bits per second into and out of all ports, over the last two minutes"
        format={bitRate}
        series={[
          { label: 'in', values: total.rx, color: 'accent', fill: 'accent-ground' },
          { label: 'out', values: total.tx, color: 'ink-faint' },
        ]}
      />
    </Panel>
  );
}

function Troubles({ list }: { list: Trouble[] }) {
  return (
    <Panel title="Look at this" flush note={list.length === 0 ? undefined : String(list.length)}>
      {list.length === 0 ? (
        <Empty>Nothing is wrong that the switch knows of.</Empty>
      ) : (
        <ul class="list troubles">
          {list.map(({ what, why, tone, page, path }) => (
            <li key={`${what} ${why}`}>
              <Sign tone={tone}>{tone === 'bad' ? 'fault' : 'look'}</Sign>
              <span>
                <a href={href(page, path)}>{what}</a> <span class="soft">{why}</span>
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function BusyPorts({ ports }: { ports: Port[] }) {
  return (
    <Panel title="Busiest ports" flush tools={<a href={href('ports')}>All ports</a>}>
      <table>
        <thead>
          <tr>
            <th scope="col">Port</th>
            <th scope="col" class="number">
              In
            </th>
            <th scope="col" class="number">
              Out
            </th>
            <th scope="col" class="wide">
              Two minutes
            </th>
          </tr>
        </thead>
        <tbody>
          {busiest(ports, PORTS_SHOWN).map((port) => (
            <tr key={`${port.bridge}/${port.name}`}>
              <th scope="row">
                <a href={href('ports', [port.name])}>{port.name}</a>{' '}
                <span class="faint small">{port.bond ?? port.bridge}</span>
              </th>
              <td class="number">{bitRate(port.rates?.rxBps)}</td>
              <td class="number">{bitRate(port.rates?.txBps)}</td>
              <td>
                <Spark
                  rx={port.history.series.rxBps ?? []}
                  tx={port.history.series.txBps ?? []}
                  fill
                  label={sparkLabel(port)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function Bonds({ bonds }: { bonds: Bond[] }) {
  return (
    <Panel title="Bonds" flush tools={<a href={href('bonds')}>All bonds</a>}>
      {bonds.length === 0 ? (
        <Empty>No bonds.</Empty>
      ) : (
        <ul class="list">
          {bonds.map((bond) => (
            <BondLine key={`${bond.bridge}/${bond.name}`} bond={bond} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Load({ workers }: { workers: Workers }) {
  return (
    <Panel title="Workers" flush tools={<a href={href('workers')}>Queues</a>}>
      <ul class="list">
        {workers.workers.map(({ cpu, load, pps, cyclesPerPacket }, index) => (
          <li key={`${cpu}/${index}`} class="spread">
            <strong>{cpu < 0 ? `worker ${index}` : `CPU ${cpu}`}</strong>
            <span>
              <Level share={load ?? 0} label="load" /> {percent(load)}
            </span>
            <span>{packetRate(pps)} packets/s</span>
            <span class="soft">{short(cyclesPerPacket)} cycles/packet</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function sparkLabel({ name, rates }: Port): string {
  return `${name}: ${bitRate(rates?.rxBps)} in, ${bitRate(rates?.txBps)} out`;
}
