/**
 * Bonds: who carries what, why a member is not used, and what happened lately.
 */
import { useState } from 'preact/hooks';
import type { Bond, BondMember, PortChange, System } from '../../api/index.js';
import { api, path } from '../live/api.js';
import { useTask, useTopic } from '../live/hooks.js';
import { memberState } from '../parts/bond-line.js';
import { Choice } from '../parts/fields.js';
import { Panel } from '../parts/panel.js';
import { Empty, Fault, Level, Sign, Waiting } from '../parts/signs.js';
import { bitRate, bytes, percent, plural, timeOfDay } from '../pure/format.js';
import { href, type Route } from '../pure/routes.js';

const BUCKETS = 256;
const EVENTS_SHOWN = 12;
const MODES = ['active-backup', 'balance-slb', 'balance-tcp'] as const;

export function BondsPage({ route }: { route: Route }) {
  const bonds = useTopic<Bond[]>('bonds');
  const system = useTopic<System>('system').data;
  if (bonds.data === null) return <Waiting error={bonds.error} />;
  const [bridge, name] = route.path;
  const shown = bonds.data.filter(
    (bond) => name === undefined || (bond.bridge === bridge && bond.name === name),
  );
  if (shown.length === 0) {
    return <Empty>{name === undefined ? 'No bonds.' : `No bond ${name} on ${bridge}.`}</Empty>;
  }
  return (
    <>
      {name === undefined ? null : (
        <div class="bar">
          <a href={href('bonds')}>All bonds</a>
        </div>
      )}
      {shown.map((bond) => (
        <BondPanel
          key={`${bond.bridge}/${bond.name}`}
          bond={bond}
          writable={system?.write ?? false}
          reasons={system?.capabilities.bondReasons ?? true}
        />
      ))}
    </>
  );
}

/** @param reasons the switch says why members are used or not, and what happened */
function BondPanel({
  bond,
  writable,
  reasons,
}: {
  bond: Bond;
  writable: boolean;
  reasons: boolean;
}) {
  const { name, bridge, mode, lacp, active, rebalanceMs, members } = bond;
  const total = members.reduce((sum, { load }) => sum + load, 0);
  const off = members.filter(({ enabled }) => !enabled).length;
  return (
    <Panel
      flush
      title={`${name} on ${bridge}`}
      note={
        <>
          {mode}, LACP {lacp}
          {rebalanceMs === null ? '' : `, rebalances in ${Math.ceil(rebalanceMs / 1000)} s`}
        </>
      }
      tools={
        <span class="bar">
          <span class="soft">Active member</span>
          <strong key={active} class="flash active-member" data-bond={name} aria-live="polite">
            {active ?? 'none'}
          </strong>
          {off === 0 ? null : <Sign tone="warn">{plural(off, 'member')} unused</Sign>}
        </span>
      }
    >
      <div class={reasons ? 'grid side bond' : 'grid bond'}>
        <div>
          <Members bond={bond} total={total} reasons={reasons} />
          {mode === 'active-backup' ? null : <Buckets members={members} />}
          {writable ? <ModeForm bond={bond} /> : null}
        </div>
        {reasons ? <Events bond={bond} /> : null}
      </div>
    </Panel>
  );
}

function Members({ bond, total, reasons }: { bond: Bond; total: number; reasons: boolean }) {
  const balanced = bond.mode !== 'active-backup';
  const hasLacp = bond.lacp !== 'off';
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Member</th>
          <th scope="col">State</th>
          {balanced ? (
            <th scope="col" class="number">
              Buckets
            </th>
          ) : null}
          {balanced ? <th scope="col">Load</th> : null}
          <th scope="col" class="number">
            In
          </th>
          <th scope="col" class="number">
            Out
          </th>
          {hasLacp ? <th scope="col">LACP</th> : null}
          {reasons ? <th scope="col">Why</th> : null}
        </tr>
      </thead>
      <tbody>
        {bond.members.map((member) => (
          <tr key={member.name}>
            <th scope="row">
              <a href={href('ports', [member.name])}>{member.name}</a>
            </th>
            <td>
              <MemberSign bond={bond} member={member} />
            </td>
            {balanced ? <td class="number">{member.buckets}</td> : null}
            {balanced ? (
              <td title={bytes(member.load)}>
                <Level share={total === 0 ? 0 : member.load / total} label="load" />{' '}
                {percent(total === 0 ? 0 : member.load / total)}
              </td>
            ) : null}
            <td class="number">{bitRate(member.rxBps)}</td>
            <td class="number">{bitRate(member.txBps)}</td>
            {hasLacp ? <td title={lacpHint(member)}>{lacpText(member)}</td> : null}
            {reasons ? <td>{member.why}</td> : null}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function MemberSign({ bond, member }: { bond: Bond; member: BondMember }) {
  const tone = !member.enabled ? 'bad' : member.active ? 'accent' : 'ok';
  return (
    <span key={`${member.enabled}${member.active}`}>
      <Sign tone={tone}>{memberState(bond, member)}</Sign>
    </span>
  );
}

function lacpText({ lacp }: BondMember): string {
  return lacp === null ? '' : `${lacp.status}${lacp.attached ? ', attached' : ', detached'}`;
}

function lacpHint({ lacp }: BondMember): string {
  if (lacp === null) return '';
  return `we say: ${lacp.actor}\npartner ${lacp.partnerSystem} says: ${lacp.partner}`;
}

/** All 256 buckets, by the member that they lead to. */
function Buckets({ members }: { members: BondMember[] }) {
  const free = BUCKETS - members.reduce((sum, { buckets }) => sum + buckets, 0);
  return (
    <div class="buckets-box">
      <div class="buckets" role="img" aria-label={bucketsLabel(members)}>
        {members.map(({ name, buckets }, index) => (
          <i key={name} class={`share-${index % 4}`} style={{ flexGrow: buckets }} />
        ))}
        <i class="free" style={{ flexGrow: Math.max(0, free) }} />
      </div>
      <p class="soft small">{bucketsLabel(members)}</p>
    </div>
  );
}

function bucketsLabel(members: BondMember[]): string {
  return `of ${BUCKETS} buckets ${members.map((m) => `${m.buckets} lead to ${m.name}`).join(', ')}`;
}

function Events({ bond: { events } }: { bond: Bond }) {
  const latest = events.slice(-EVENTS_SHOWN).reverse();
  return (
    <div class="events">
      <h3>What happened</h3>
      {latest.length === 0 ? <p class="faint">Nothing yet.</p> : null}
      <ol class="list">
        {latest.map(({ seq, at, member, text }) => (
          <li key={seq} class="flash">
            <time class="faint mono small">{timeOfDay(at)}</time>{' '}
            {member === null ? text : `${member}: ${text}`}
          </li>
        ))}
      </ol>
    </div>
  );
}

function ModeForm({ bond }: { bond: Bond }) {
  const [mode, setMode] = useState<string>(bond.mode);
  const [lacp, setLacp] = useState('');
  const [active, setActive] = useState('');
  const task = useTask(() => {
    const change: PortChange = {};
    if (mode !== bond.mode) change.bond_mode = mode as (typeof MODES)[number];
    if (active !== '') change.active_member = active;
    if (lacp !== '') change.lacp = lacp as 'off' | 'passive' | 'active';
    return api.patch(path('ports', bond.name), change);
  });
  const changed = mode !== bond.mode || lacp !== '' || active !== '';
  const others = bond.members.filter((m) => m.enabled && !m.active);
  return (
    <form
      class="bar inset"
      onSubmit={(event) => {
        event.preventDefault();
        void task.run();
      }}
    >
      <Choice
        bare
        label="Mode"
        value={mode}
        onChange={setMode}
        choices={MODES.map((m) => [m, m])}
      />
      <Choice
        bare
        label="LACP"
        value={lacp}
        onChange={setLacp}
        choices={[
          ['', 'LACP as it is'],
          ['off', 'LACP off'],
          ['active', 'LACP active'],
          ['passive', 'LACP passive'],
        ]}
      />
      <Choice
        bare
        label="Active member"
        value={active}
        onChange={setActive}
        choices={[
          ['', 'active member as it is'],
          ...others.map(({ name }): [string, string] => [name, `${name} active`]),
        ]}
      />
      <button type="submit" disabled={task.busy || !changed}>
        Set
      </button>
      <Fault error={task.error} />
    </form>
  );
}
