/**
 * A web console for tests: a process of its own beside the switch under test, on a free port of the
 * test's own network namespace (the switch's sockets are files, and can be reached from anywhere).
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { ConsoleClient } from '../../src/web/api/client.js';
import { BackgroundProcess, eventually } from './command.js';
import { type Switch, tapswitchBin } from './switch.js';

export interface ConsoleUnderTest {
  url: string;
  token: string;
  process: BackgroundProcess;
  /** A client that shows the token, or, with null, none. */
  client(token?: string | null): ConsoleClient;
}

/**
 * Starts a console on the sockets of `sw`; the caller ends `process`.
 * @param where a namespace: that of the switch, where captures are to be possible
 */
export async function startConsole(
  sw: Switch,
  args: readonly string[] = [],
  where: Pick<typeof BackgroundProcess, 'start'> = BackgroundProcess,
): Promise<ConsoleUnderTest> {
  const token = randomBytes(16).toString('hex');
  const file = join(sw.directory, 'token');
  await writeFile(file, token, { mode: 0o600 });
  const command = [tapswitchBin, 'web', '--listen=127.0.0.1:0', `--token-file=${file}`, ...args];
  const child = where.start(command, { env: sw.environment });
  const url = () => /^http:\/\/\S+$/m.exec(child.output.stdout)?.[0];
  await eventually('the console to listen', () => url() !== undefined, 20_000);
  const base = url() ?? '';
  return {
    url: base,
    token,
    process: child,
    client: (shown = token) =>
      new ConsoleClient(base, { token: shown ?? undefined, WebSocket: WebSocket as never }),
  };
}
