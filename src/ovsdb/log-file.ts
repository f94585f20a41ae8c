/**
 * An append-only file of records, locked against a second writer.
 *
 *     append()   one write system call per record; a record that does not fit is cut off again
 *     sync()     group commit: all who wait while one fdatasync runs share the next one
 *     replace()  writes a new file beside it and renames it over the old one
 *
 * A file that a crash left with a torn tail is cut at the last whole record, with a warning. If
 * whole records follow the damage, the bytes that are cut off are kept in NAME.damaged first.
 *
 * Not for: what the records mean (database-file.ts).
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { errnoText } from '../common/errno-text.js';
import { errorMessage, TapswitchError } from '../common/errors.js';
import { type JsonValue, stringifyJson } from '../common/json.js';
import { getLogger } from '../common/log.js';
import { OvsdbError } from './error.js';
import { type Lock, type LockFile, lockFileOf, lockWithPid } from './lock-file.js';
import { composeRecord, findRecordAfter, readRecord } from './log-record.js';

const log = getLogger('ovsdb_log');

/** Files below this size are not worth compacting. */
const COMPACT_BYTES_MIN = 10 * 1024 * 1024;
const COMPACT_RECORDS_MIN = 100;
/** An fdatasync that takes no longer is done in place, unless told otherwise, milliseconds. */
const QUICK_SYNC_MS = 1;
/** Linux's flag for a file of no name. */
const O_TMPFILE = 0o20200000;
/** What is expected before the first one. */
const SLOW_SYNC_MS = 4;

export interface LogFileOptions {
  lockFile?: LockFile;
  /** The file's name in messages. Default: as it is. */
  shownAs?: string;
  /** Monotonic milliseconds. */
  now?: () => number;
  /** How long whoever is not concerned may wait for another's fdatasync, milliseconds. */
  quickSyncMs?: number;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

export class LogFile {
  /** The descriptor that an fdatasync runs on. */
  private syncFd: number | null = null;
  private waiters: Waiter[] = [];
  private syncScheduled = false;
  /** How long an fdatasync has taken of late, milliseconds. */
  private syncMs = SLOW_SYNC_MS;
  private broken: Error | null = null;
  private closed = false;
  private records = 0;
  /** Size after the last compaction, bytes. */
  private baseBytes = 0;

  private constructor(
    readonly name: string,
    private fd: number,
    private sizeBytes: number,
    private readonly lock: Lock,
    /** Its name in messages. */
    private readonly shown: string,
    /** Monotonic milliseconds; null: not known, and every fdatasync is left to another thread. */
    private readonly now: (() => number) | null,
    private readonly quickSyncMs = QUICK_SYNC_MS,
  ) {}

  /**
   * Opens a file and hands each record to `onRecord`, which throws to say that it makes no sense:
   * that record and what follows it are cut off. Creates the file with `initial` as its records
   * when there is none.
   *
   * Throws TapswitchError: E_OVSDB_LOCKED, E_OVSDB_FILE.
   */
  static open(
    name: string,
    initial: JsonValue[],
    onRecord: (json: { [key: string]: JsonValue }) => void,
    { lockFile = lockWithPid, shownAs = name, now, quickSyncMs }: LogFileOptions = {},
  ): LogFile {
    const target = fileBehind(name);
    let lock: Lock | null = null;
    let fd: number | null = null;
    try {
      lock = lockFile(fileBehind(lockFileOf(target)));
      if (!fs.existsSync(target) || fs.statSync(target).size === 0) {
        if (initial.length === 0) throw new Error('no such database');
        writeNewFile(target, initial);
      }
      fd = fs.openSync(target, 'r+');
      const file = new LogFile(target, fd, 0, lock, shownAs, now ?? null, quickSyncMs);
      file.read(onRecord);
      return file;
    } catch (error) {
      if (fd !== null) fs.closeSync(fd);
      lock?.release();
      throw error instanceof TapswitchError ? error : fileError(shownAs, error);
    }
  }

  /** A file of no name in `directory`, gone when it is closed. Throws where there can be none. */
  static nameless(directory: string, now?: () => number): LogFile {
    const fd = fs.openSync(directory, fs.constants.O_RDWR | O_TMPFILE, 0o600);
    return new LogFile('nameless', fd, 0, { release: () => {} }, 'nameless', now ?? null);
  }

  /** Reads all records, and cuts off what is damaged. */
  private read(onRecord: (json: { [key: string]: JsonValue }) => void): void {
    const bytes = fs.readFileSync(this.fd);
    let at = 0;
    let damage: string | null = null;
    for (let result = readRecord(bytes, 0); result; result = readRecord(bytes, at)) {
      if ('damage' in result) {
        damage = `syntax error: ${this.shown}: ${result.damage}`;
        break;
      }
      try {
        onRecord(result.json);
      } catch (error) {
        damage = `${this.shown}: record at offset ${at} cannot be applied: ${errorMessage(error)}`;
        break;
      }
      at = result.end;
      this.records += 1;
    }
    if (damage !== null) this.cut(bytes, at, damage);
    this.sizeBytes = at;
    this.baseBytes = at;
  }

  private cut(bytes: Buffer, at: number, damage: string): void {
    if (at === 0) {
      throw new TapswitchError(
        'E_OVSDB_FILE',
        `${this.shown} is not an OVSDB database file: ${damage}`,
        'Give the name of a database file, or of a file that does not exist yet.',
      );
    }
    log.warn(damage);
    if (findRecordAfter(bytes, at) >= 0) {
      const copy = freeName(`${this.name}.damaged`);
      fs.writeFileSync(copy, bytes.subarray(at), { mode: 0o660 });
      log.warn(`${this.shown}: whole records follow the damage; they are kept in ${copy}`);
    }
    log.warn(`${this.shown}: cutting off ${bytes.length - at} bytes at offset ${at}`);
    fs.ftruncateSync(this.fd, at);
    fs.fsyncSync(this.fd);
  }

  /** True when compaction would make the file much smaller, as far as its growth can tell. */
  get worthCompacting(): boolean {
    return (
      this.records >= COMPACT_RECORDS_MIN &&
      this.sizeBytes > COMPACT_BYTES_MIN &&
      this.sizeBytes > 2 * this.baseBytes
    );
  }

  /** Appends a record. Throws OvsdbError (I/O error); the file is then as it was before. */
  append(json: string): void {
    if (this.broken) throw this.fault('write failed', this.broken);
    const bytes = composeRecord(json);
    try {
      writeFully(this.fd, bytes, this.sizeBytes);
    } catch (error) {
      log.warn(`${this.shown}: write failed (${reason(error)})`);
      this.restore();
      throw this.fault('write failed', error);
    }
    this.sizeBytes += bytes.length;
    this.records += 1;
  }

  private restore(): void {
    try {
      fs.ftruncateSync(this.fd, this.sizeBytes);
    } catch (error) {
      this.broken = error as Error;
    }
  }

  /** @param what e.g. `write failed` */
  private fault(what: string, error: unknown): OvsdbError {
    return new OvsdbError('I/O error', `${this.shown}: ${what} (${reason(error)})`);
  }

  /** Resolves when everything appended so far is on the disk. Rejects with OvsdbError. */
  sync(): Promise<void> {
    if (this.broken) return Promise.reject(this.fault('fsync failed', this.broken));
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      if (this.syncFd !== null || this.syncScheduled) return;
      if (this.syncMs > this.quickSyncMs) {
        this.startSync();
        return;
      }
      // For all who ask in this turn of the event loop.
      this.syncScheduled = true;
      setImmediate(() => {
        this.syncScheduled = false;
        if (this.waiters.length > 0 && this.syncFd === null && !this.closed) this.syncHere();
      });
    });
  }

  /** Where the disk is quick, waiting for it costs less than having another thread wait. */
  private syncHere(): void {
    const served = this.waiters;
    this.waiters = [];
    const start = this.now?.() ?? 0;
    let failure: Error | null = null;
    try {
      fs.fdatasyncSync(this.fd);
    } catch (error) {
      failure = error as Error;
    }
    this.took(start);
    this.settle(served, failure);
  }

  /** Takes note of an fdatasync's time; the average follows the last few. */
  private took(startMs: number): void {
    if (this.now) this.syncMs += (this.now() - startMs - this.syncMs) / 4;
  }

  private settle(served: Waiter[], error: Error | null): void {
    if (error) {
      // What reached the disk is unknown from here on: accept nothing more.
      log.warn(`${this.shown}: fsync failed (${error.message})`);
      this.broken = error;
    }
    for (const waiter of served) {
      if (this.broken) waiter.reject(this.fault('fsync failed', this.broken));
      else waiter.resolve();
    }
  }

  private startSync(): void {
    const served = this.waiters;
    this.waiters = [];
    const { fd } = this;
    this.syncFd = fd;
    const start = this.now?.() ?? 0;
    fs.fdatasync(fd, (error) => {
      this.syncFd = null;
      this.took(start);
      this.settle(served, fd === this.fd ? error : null);
      if (fd !== this.fd || this.closed) fs.closeSync(fd);
      if (this.waiters.length > 0 && !this.closed) this.startSync();
    });
  }

  /** Replaces all records, atomically. Throws OvsdbError (I/O error); the old file then stays. */
  replace(records: JsonValue[]): void {
    try {
      const size = writeNewFile(this.name, records);
      const old = this.fd;
      this.fd = fs.openSync(this.name, 'r+');
      // A sync that runs on the old file closes it.
      if (this.syncFd !== old) fs.closeSync(old);
      this.sizeBytes = size;
      this.baseBytes = size;
      this.records = records.length;
      this.broken = null;
    } catch (error) {
      throw this.fault('cannot be rewritten', error);
    }
  }

  /** Writes everything to the disk, closes the file and gives up the lock. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (!this.broken) fs.fdatasyncSync(this.fd);
    const { waiters } = this;
    this.waiters = [];
    for (const waiter of waiters) waiter.resolve();
    if (this.syncFd !== this.fd) fs.closeSync(this.fd);
    this.lock.release();
  }
}

/** The file that a name stands for, through symbolic links, whether it is there yet or not. */
function fileBehind(name: string): string {
  if (fs.existsSync(name)) return fs.realpathSync(name);
  const stat = fs.lstatSync(name, { throwIfNoEntry: false });
  if (!stat?.isSymbolicLink()) return path.resolve(name);
  return path.resolve(path.dirname(name), fs.readlinkSync(name));
}

function writeFully(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

/** Writes a whole file so that it is there completely or not at all. Returns its size. */
function writeNewFile(name: string, records: JsonValue[]): number {
  const temporary = `${name}.tmp`;
  const fd = fs.openSync(temporary, 'w', 0o660);
  let size = 0;
  try {
    for (const record of records) {
      const bytes = composeRecord(stringifyJson(record));
      writeFully(fd, bytes, size);
      size += bytes.length;
    }
    fs.fsyncSync(fd);
  } catch (error) {
    // On a full disk what is there of it takes the last room.
    fs.rmSync(temporary, { force: true });
    throw error;
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(temporary, name);
  syncDirectory(path.dirname(name));
  return size;
}

function syncDirectory(name: string): void {
  const fd = fs.openSync(name, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function freeName(base: string): string {
  for (let i = 1; ; i++) if (!fs.existsSync(`${base}.${i}`)) return `${base}.${i}`;
}

function reason(error: unknown): string {
  return errnoText((error as NodeJS.ErrnoException).code) ?? errorMessage(error);
}

function fileError(name: string, error: unknown): TapswitchError {
  return new TapswitchError(
    'E_OVSDB_FILE',
    `cannot open database ${name}: ${errorMessage(error)}`,
    'Check that the directory exists and may be written to.',
    { cause: error },
  );
}
