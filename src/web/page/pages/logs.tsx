/**
 * The daemon's log, the newest at the top.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LogLine, Logs, System } from '../../api/index.js';
import { useTopic } from '../live/hooks.js';
import { DataTable } from '../parts/data-table.js';
import { Filter, Switcher } from '../parts/fields.js';
import { Empty, Sign, type Tone, Waiting } from '../parts/signs.js';
import type { Column } from '../parts/virtual-table.js';
import { plural, timeOfDay } from '../pure/format.js';
import { atLeast, mergeLines } from '../pure/log-lines.js';

const TONES: Record<LogLine['level'], Tone> = {
  emer: 'bad',
  err: 'bad',
  warn: 'warn',
  info: 'quiet',
  dbg: 'quiet',
};

const COLUMNS: readonly Column<LogLine>[] = [
  { key: 'at', title: 'Time', width: '7.5rem', mono: true, cell: (line) => timeOfDay(line.at) },
  {
    key: 'level',
    title: 'Level',
    width: '5.5rem',
    cell: ({ level }) => <Sign tone={TONES[level]}>{level}</Sign>,
  },
  { key: 'module', title: 'Module', width: '9rem', mono: true, cell: (line) => line.module },
  { key: 'text', title: 'Message', cell: (line) => line.text },
];

export function LogsPage() {
  const capable = useTopic<System>('system').data?.capabilities;
  const logs = useTopic<Logs>('logs');
  const [filter, setFilter] = useState('');
  const [level, setLevel] = useState('info');
  const kept = useRef<LogLine[]>([]);
  const [lines, setLines] = useState<LogLine[]>([]);
  useEffect(() => {
    if (logs.data === null) return;
    kept.current = mergeLines(kept.current, logs.data.lines);
    setLines(kept.current);
  }, [logs.data]);
  if (capable !== undefined && !capable.logs)
    return <Empty>This switch’s log is not in reach.</Empty>;
  if (logs.data === null) return <Waiting error={logs.error} />;
  const shown = atLeast(lines, level as LogLine['level']).reverse();
  return (
    <>
      <div class="bar">
        <Filter value={filter} onChange={setFilter} hint="Module, words, -without" />
        <Switcher
          label="Level"
          value={level}
          onChange={setLevel}
          choices={[
            ['dbg', 'everything'],
            ['info', 'info'],
            ['warn', 'warnings'],
            ['err', 'errors'],
          ]}
        />
        <span class="soft">
          {plural(shown.length, 'line')}
          {logs.data.file === null ? '' : ` of ${logs.data.file}`}
        </span>
      </div>
      <section class="panel fill" aria-label="Log">
        <DataTable
          label="Log, newest first"
          columns={COLUMNS}
          rows={shown}
          rowKey={({ seq }) => `${seq}`}
          filter={filter}
          text={(line) => `${line.level} ${line.module} ${line.text}`}
          empty="Nothing was logged."
        />
      </section>
    </>
  );
}
