/**
 * OpenFlow controllers of all bridges, and how each connection does.
 */
import type { Controllers } from '../../api/index.js';
import { useTopic } from '../live/hooks.js';
import { Panel } from '../parts/panel.js';
import { Empty, Sign, Waiting } from '../parts/signs.js';
import { duration } from '../pure/format.js';

export function ControllersPage() {
  const controllers = useTopic<Controllers>('controllers');
  if (controllers.data === null) return <Waiting error={controllers.error} />;
  if (controllers.data.length === 0) {
    return <Empty>No controllers: flows are added by hand, or by the default flow.</Empty>;
  }
  return (
    <Panel title="Controllers" flush>
      <table>
        <thead>
          <tr>
            {['Bridge', 'Target', 'State', 'Role', 'Since', 'Last error'].map((title) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {controllers.data.map(({ bridge, target, connected, role, status }) => (
            <tr key={`${bridge} ${target}`}>
              <th scope="row">{bridge}</th>
              <td class="mono">{target}</td>
              <td>
                <Sign tone={connected ? 'ok' : 'bad'}>
                  {connected ? 'connected' : (status.state?.toLowerCase() ?? 'not connected')}
                </Sign>
              </td>
              <td>{role ?? '–'}</td>
              <td>{since(connected, status)}</td>
              <td class="wrap">{status.last_error ?? ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function since(connected: boolean, status: Record<string, string>): string {
  const seconds = connected ? status.sec_since_connect : status.sec_since_disconnect;
  return seconds === undefined ? '–' : duration(Number(seconds));
}
