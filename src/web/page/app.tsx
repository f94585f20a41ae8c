/**
 * The frame around every page: navigation, what is watched and whether it is live, the keyboard.
 */
import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { System } from '../api/index.js';
import { useConnection, useRoute, useTopic } from './live/hooks.js';
import { token } from './live/token.js';
import { BondsPage } from './pages/bonds.js';
import { CapturesPage } from './pages/captures.js';
import { ControllersPage } from './pages/controllers.js';
import { DatabasePage } from './pages/database.js';
import { DatapathPage } from './pages/datapath.js';
import { DropsPage } from './pages/drops.js';
import { FlowsPage } from './pages/flows.js';
import { GroupsPage } from './pages/groups.js';
import { LogsPage } from './pages/logs.js';
import { MacsPage } from './pages/macs.js';
import { OverviewPage } from './pages/overview.js';
import { PortsPage } from './pages/ports.js';
import { TopologyPage } from './pages/topology.js';
import { TracePage } from './pages/trace.js';
import { WorkersPage } from './pages/workers.js';
import { ConnectionBanner, ConnectionSign, useStale } from './parts/connection.js';
import { Help } from './parts/help.js';
import { Nav } from './parts/nav.js';
import { toggleTheme } from './parts/theme.js';
import { TokenDialog } from './parts/token-dialog.js';
import { PLACES } from './places.js';
import { Keys } from './pure/keys.js';
import { HOME, href, type Route } from './pure/routes.js';

const PAGES: Record<string, ComponentType<{ route: Route }>> = {
  overview: OverviewPage,
  topology: TopologyPage,
  ports: PortsPage,
  bonds: BondsPage,
  macs: MacsPage,
  controllers: ControllersPage,
  flows: FlowsPage,
  datapath: DatapathPage,
  groups: GroupsPage,
  workers: WorkersPage,
  trace: TracePage,
  drops: DropsPage,
  captures: CapturesPage,
  database: DatabasePage,
  logs: LogsPage,
};

export function App() {
  const route = useRoute();
  const system = useTopic<System>('system');
  const stale = useStale();
  const [help, setHelp] = useState(false);
  const [asking, setAsking] = useState(false);
  const main = useRef<HTMLElement>(null);
  const place = PLACES.find(({ name }) => name === route.name) ?? PLACES[0];
  const Page = PAGES[place.name] ?? PAGES[HOME];
  useKeyboard(() => setHelp((shown) => !shown));

  const name = system.data?.name ?? '';
  useEffect(() => {
    document.title = `${stale ? 'not live: ' : ''}${place.title} – ${name || 'tapswitch'}`;
  }, [place.title, name, stale]);
  useEffect(() => main.current?.focus({ preventScroll: true }), [place.name]);

  useEffect(() => token.onAsk(() => setAsking(true)), []);

  const locked = useConnection().phase === 'refused';
  return (
    <div class={`frame${stale ? ' stale' : ''}`}>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the page
      </button>
      <Nav
        here={place.name}
        system={system.data}
        onHelp={() => setHelp(true)}
        onToken={() => setAsking(true)}
      />
      <div class="main">
        <header class="top">
          <h1>{place.title}</h1>
          <span class="grow" />
          <Subject system={system.data} />
          <ConnectionSign />
        </header>
        <ConnectionBanner />
        <main class="page" id="main" ref={main} tabIndex={-1}>
          <Page key={place.name} route={route} />
        </main>
      </div>
      {help ? <Help onClose={() => setHelp(false)} /> : null}
      {asking ? <TokenDialog reading={locked} onClose={() => setAsking(false)} /> : null}
    </div>
  );
}

function Subject({ system }: { system: System | null }) {
  if (system === null) return null;
  const { name, hostname, subject, subjectVersion } = system;
  const where = name === hostname ? name : `${name} on ${hostname}`;
  return (
    <span class="where">
      {where} · {subject === 'none' ? 'no switch' : `${subject} ${subjectVersion}`}
    </span>
  );
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

function useKeyboard(onHelp: () => void): void {
  useEffect(() => {
    const keys = new Keys();
    const pressed = (event: KeyboardEvent): void => {
      const modified = event.ctrlKey || event.metaKey || event.altKey;
      const typing = isTyping(event.target) || document.querySelector('dialog[open]') !== null;
      const action = keys.press({ key: event.key, typing, modified }, event.timeStamp);
      if (action === null) return;
      if (action.type === 'escape') {
        if (event.target instanceof HTMLElement && isTyping(event.target)) event.target.blur();
        return;
      }
      if (action.type === 'go') {
        const to = PLACES.find(({ letter }) => letter === action.letter);
        if (to !== undefined) location.hash = href(to.name);
      } else if (action.type === 'filter') {
        document.querySelector<HTMLInputElement>('[data-filter]')?.focus();
      } else if (action.type === 'theme') toggleTheme();
      else onHelp();
      event.preventDefault();
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, []);
}
