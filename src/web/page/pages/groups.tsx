/**
 * Groups and meters of a bridge.
 */
import type { Group, Meter } from '../../api/index.js';
import { useSteadyTopic } from '../live/hooks.js';
import { BridgeChoice, useBridge } from '../parts/bridge-choice.js';
import { Panel } from '../parts/panel.js';
import { Empty, Waiting } from '../parts/signs.js';
import { bytes, count, duration, plural, short } from '../pure/format.js';
import type { Route } from '../pure/routes.js';

export function GroupsPage({ route }: { route: Route }) {
  const { bridge, bridges } = useBridge(route);
  const topic = <T extends 'groups' | 'meters'>(name: T): T | null => (bridge === '' ? null : name);
  const groups = useSteadyTopic<Group[]>(topic('groups'), { bridge });
  const meters = useSteadyTopic<Meter[]>(topic('meters'), { bridge });
  return (
    <>
      <div class="bar">
        <BridgeChoice route={route} bridge={bridge} bridges={bridges} />
      </div>
      <Panel title="Groups" flush>
        {groups.data === null ? <Waiting error={groups.error} /> : <Groups groups={groups.data} />}
      </Panel>
      <Panel title="Meters" flush>
        {meters.data === null ? <Waiting error={meters.error} /> : <Meters meters={meters.data} />}
      </Panel>
    </>
  );
}

function Groups({ groups }: { groups: Group[] }) {
  if (groups.length === 0) return <Empty>No groups.</Empty>;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Group</th>
          <th scope="col">Type</th>
          <th scope="col">Buckets</th>
          <th scope="col" class="number">
            Packets
          </th>
          <th scope="col" class="number">
            Bytes
          </th>
          <th scope="col" class="number">
            Age
          </th>
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <tr key={group.id}>
            <th scope="row">{group.id}</th>
            <td>{group.type}</td>
            <td class="wrap mono">
              {group.buckets.map(({ text, packets }, index) => (
                <div key={`${index} ${text}`}>
                  {text} <span class="faint">{plural(packets, 'packet')}</span>
                </div>
              ))}
            </td>
            <td class="number">{count(group.packets)}</td>
            <td class="number">{bytes(group.bytes)}</td>
            <td class="number">{duration(group.duration)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Meters({ meters }: { meters: Meter[] }) {
  if (meters.length === 0) return <Empty>No meters.</Empty>;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Meter</th>
          <th scope="col">Flags</th>
          <th scope="col">Bands</th>
          <th scope="col" class="number">
            Flows
          </th>
          <th scope="col" class="number">
            Packets
          </th>
          <th scope="col" class="number">
            Bytes
          </th>
        </tr>
      </thead>
      <tbody>
        {meters.map((meter) => {
          const unit = meter.flags.includes('pktps') ? 'packets/s' : 'bit/s';
          const scale = unit === 'bit/s' ? 1000 : 1;
          return (
            <tr key={meter.id}>
              <th scope="row">{meter.id}</th>
              <td>{meter.flags.join(' ')}</td>
              <td class="wrap">
                {meter.bands.map(({ type, rate, packets }, index) => (
                  <div key={`${index} ${type}`}>
                    {type} above {short(rate * scale, unit)}{' '}
                    <span class="faint">{plural(packets, 'packet')}</span>
                  </div>
                ))}
              </td>
              <td class="number">{count(meter.flows)}</td>
              <td class="number">{count(meter.packets)}</td>
              <td class="number">{bytes(meter.bytes)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
