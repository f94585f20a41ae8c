/**
 * One port: its traffic, all that is known of it, and its VLANs, which may be changed here.
 */
import { useState } from 'preact/hooks';
import type { Port, PortChange, System } from '../../api/index.js';
import { api, path } from '../live/api.js';
import { useTask, useTopic } from '../live/hooks.js';
import { bitRate, bytes, count, packetRate, short, UNKNOWN } from '../pure/format.js';
import { href } from '../pure/routes.js';
import { parseVlans } from '../pure/vlans.js';
import { Chart } from './chart.js';
import { Choice, TextField } from './fields.js';
import { Dialog } from './panel.js';
import { Facts, Fault, Sign } from './signs.js';

export function PortState({ port }: { port: Port }) {
  if (port.error !== null && port.error !== '') {
    return (
      <Sign tone="bad" title={port.error}>
        fault
      </Sign>
    );
  }
  if (port.admin === 'down') return <Sign tone="quiet">off</Sign>;
  if (port.link === 'down') return <Sign tone="warn">no carrier</Sign>;
  return port.link === 'up' ? <Sign tone="ok">up</Sign> : <Sign tone="quiet">unknown</Sign>;
}

export function vlanText({ tag, trunks, vlanMode }: Port): string {
  const parts = [
    tag === null ? '' : `${tag}`,
    trunks.length === 0 ? '' : `trunks ${trunks.join(', ')}`,
    vlanMode === null || vlanMode === 'access' || vlanMode === 'trunk' ? '' : vlanMode,
  ];
  return parts.filter(Boolean).join('; ');
}

export function PortDialog({ port, onClose }: { port: Port; onClose: () => void }) {
  const system = useTopic<System>('system').data;
  return (
    <Dialog title={`Port ${port.name}`} onClose={onClose} wide>
      <div class="bar">
        <PortState port={port} />
        <span class="soft">{port.error}</span>
        <span class="grow" />
        <a class="button" href={href('captures', [], { port: port.name })}>
          Capture
        </a>
        <a class="button" href={href('trace', [], { bridge: port.bridge, in_port: port.name })}>
          Where does a packet go
        </a>
      </div>
      <div class="grid two">
        <Traffic port={port} of="bits" />
        <Traffic port={port} of="packets" />
      </div>
      <div class="grid two">
        <Facts facts={factsOf(port)} />
        <Counters port={port} />
      </div>
      {system?.write ? <VlanForm port={port} /> : null}
    </Dialog>
  );
}

function Traffic({ port, of }: { port: Port; of: 'bits' | 'packets' }) {
  const [rx, tx] = of === 'bits' ? ['rxBps', 'txBps'] : ['rxPps', 'txPps'];
  const { at, stepMs, series } = port.history;
  return (
    <div>
      <h3>
        {of === 'bits' ? 'Bits per second' : 'Packets per second'} <span class="key">in</span>{' '}
        <span class="key tx">out</span>
      </h3>
      <Chart
        size="low"
        at={at}
        stepMs={stepMs}
        label={`${of} per second of ${port.name}`}
        format={of === 'bits' ? bitRate : packetRate}
        series={[
          { label: 'in', values: series[rx] ?? [], color: 'accent', fill: 'accent-ground' },
          { label: 'out', values: series[tx] ?? [], color: 'ink-faint' },
        ]}
      />
    </div>
  );
}

function factsOf(port: Port): [string, string][] {
  const { far, bond, peer } = port;
  const facts: [string, string | null][] = [
    ['Bridge', port.bridge],
    ['Bond', bond],
    ['OpenFlow port', port.ofport === null ? null : `${port.ofport}`],
    ['Type', port.type],
    ['MAC', port.mac],
    ['MTU', port.mtu === null ? null : `${port.mtu}`],
    ['Speed', port.speed === null ? null : short(port.speed, 'bit/s')],
    ['VLAN', vlanText(port) || 'any'],
    ['Patched to', peer],
    ['Other end', far === null ? null : `${far.device} in ${far.namespace ?? 'this namespace'}`],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== null);
}

function Counters({ port: { statistics: s } }: { port: Port }) {
  const rows: [string, string, string][] = [
    ['Packets', count(s.rxPackets), count(s.txPackets)],
    ['Bytes', bytes(s.rxBytes), bytes(s.txBytes)],
    ['Dropped', count(s.rxDropped), count(s.txDropped)],
    ['Errors', count(s.rxErrors), count(s.txErrors)],
  ];
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Since it came up</th>
          <th scope="col" class="number">
            In
          </th>
          <th scope="col" class="number">
            Out
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, rx, tx]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="number">{rx}</td>
            <td class="number">{tx}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const MODES = ['access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel'] as const;

function VlanForm({ port }: { port: Port }) {
  const [tag, setTag] = useState(port.tag === null ? '' : `${port.tag}`);
  const [trunks, setTrunks] = useState(port.trunks.join(', '));
  const [mode, setMode] = useState(port.vlanMode ?? '');
  const [done, setDone] = useState(false);
  const task = useTask(async () => {
    setDone(false);
    const change: PortChange = {
      tag: tag.trim() === '' ? null : parseVlans(tag)[0],
      trunks: parseVlans(trunks),
      vlan_mode: mode === '' ? null : (mode as (typeof MODES)[number]),
    };
    await api.patch(path('ports', port.bond ?? port.name), change);
    setDone(true);
  });
  const choices = [['', 'by tag and trunks'], ...MODES.map((m) => [m, m])] as [string, string][];
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void task.run();
      }}
    >
      <h2>VLANs of {port.bond === null ? 'this port' : `bond ${port.bond}`}</h2>
      <div class="bar form-bar">
        <TextField label="Tag" value={tag} onChange={setTag} placeholder={UNKNOWN} />
        <TextField label="Trunks" value={trunks} onChange={setTrunks} placeholder="all" />
        <Choice label="Mode" value={mode} onChange={setMode} choices={choices} />
        <button type="submit" class="primary" disabled={task.busy}>
          Set
        </button>
      </div>
      <Fault error={task.error} />
      {done ? <p class="done">Set.</p> : null}
    </form>
  );
}
