/**
 * Topic `logs`: the daemon's last lines, from its memory (tapswitch/logs), or of Open vSwitch from
 * the end of its log file.
 */
import { open } from 'node:fs/promises';
import { type Static, Type } from '@sinclair/typebox';
import { type LogLine, Logs } from '../api/index.js';
import type { Subject } from '../subject/subject.js';
import type { Resource } from './resource.js';

export const LogsQuery = Type.Object({
  /** Lines with a greater `seq`. */
  after: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
});

const LINES_MAX = 1000;
/** Of a log file so much of its end is read. */
const TAIL_BYTES = 256 * 1024;

export class LogTail {
  constructor(
    private readonly subject: Subject,
    /** Of a daemon that keeps no lines in memory. */
    private readonly file: string,
  ) {}

  resource(): Resource {
    return {
      topic: 'logs',
      path: '/logs',
      summary: "The daemon's log, the newest line last",
      query: LogsQuery,
      answer: Logs,
      intervalMs: 1000,
      tables: [],
      read: (query) => this.read((query as Static<typeof LogsQuery>).after ?? 0),
    };
  }

  private async read(after: number): Promise<Logs> {
    const { control } = this.subject;
    if ((await control.commands()).has('tapswitch/logs')) {
      return control.json<Logs>('tapswitch/logs', [`${after}`]);
    }
    const lines = parseLog(await tail(this.file));
    return { lines: lines.filter(({ seq }) => seq > after).slice(-LINES_MAX), file: this.file };
  }
}

async function tail(path: string): Promise<string> {
  const file = await open(path, 'r').catch(() => null);
  if (!file) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } finally {
    await file.close();
  }
}

const LEVELS = ['emer', 'err', 'warn', 'info', 'dbg'] as const;

/** '2026-01-01T12:00:00.000Z|00017|bridge|INFO|text', Open vSwitch's usual pattern. */
export function parseLog(text: string): LogLine[] {
  const line = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)\|(\d+)\|([^|]+)\|(\w+)\|(.*)$/gm;
  return [...text.matchAll(line)].map(([, time, seq, module, level, message]) => ({
    seq: Number(seq),
    at: Date.parse(time),
    module,
    level: LEVELS.find((known) => known === level.toLowerCase()) ?? 'info',
    text: message,
  }));
}
