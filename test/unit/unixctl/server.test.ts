/** The control socket: answers, errors, order, bounds, and sockets left by others. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnixctlClient } from '../../../src/unixctl/client.js';
import { type UnixctlCommand, UnixctlError, UnixctlServer } from '../../../src/unixctl/server.js';

let directory: string;
let path: string;
let server: UnixctlServer;
let client: UnixctlClient;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tapswitch-unixctl-'));
  path = join(directory, 'test.ctl');
  server = new UnixctlServer('test 1.0\n');
  await server.listen(path);
  client = await UnixctlClient.connect(path);
});

afterEach(async () => {
  client.close();
  await server.close();
  rmSync(directory, { recursive: true });
});

const ask = (command: string, ...args: string[]) => client.transact(command, args);

describe('answers', () => {
  it('end with a line end, which is added where it lacks and never to nothing', async () => {
    server.register('say', 'TEXT', 1, 1, (_command, [text]) => text);
    expect(await ask('say', 'hello')).toEqual({ ok: true, text: 'hello\n' });
    expect(await ask('say', 'hello\n')).toEqual({ ok: true, text: 'hello\n' });
    expect(await ask('say', '')).toEqual({ ok: true, text: '' });
  });

  it('come from promises and later calls alike, one request at a time and in order', async () => {
    const events: string[] = [];
    server.register('slow', '', 0, 0, async () => {
      events.push('slow begins');
      await new Promise((resolve) => setTimeout(resolve, 20));
      events.push('slow ends');
      return 'slow';
    });
    server.register('later', '', 0, 0, (command) => {
      events.push('later');
      setImmediate(() => command.reply('later'));
    });
    const answers = await Promise.all([ask('slow'), ask('later'), ask('version')]);
    expect(answers.map(({ text }) => text)).toEqual(['slow\n', 'later\n', 'test 1.0\n']);
    expect(events).toEqual(['slow begins', 'slow ends', 'later']);
  });

  it('count once: a second one is ignored', async () => {
    server.register('twice', '', 0, 0, (command: UnixctlCommand) => {
      command.reply('first');
      command.replyError('second');
    });
    expect(await ask('twice')).toEqual({ ok: true, text: 'first\n' });
    expect(await ask('version')).toEqual({ ok: true, text: 'test 1.0\n' });
  });

  it('may be errors: thrown, rejected, or replied', async () => {
    server.register('throws', '', 0, 0, () => {
      throw new UnixctlError('no such bond');
    });
    server.register('rejects', '', 0, 0, () => Promise.reject(new UnixctlError('no such port')));
    server.register('breaks', '', 0, 0, () => {
      throw new TypeError('x is undefined');
    });
    expect(await ask('throws')).toEqual({ ok: false, text: 'no such bond\n' });
    expect(await ask('rejects')).toEqual({ ok: false, text: 'no such port\n' });
    expect(await ask('breaks')).toEqual({ ok: false, text: 'x is undefined\n' });
  });
});

describe('requests', () => {
  it('are refused in the words of Open vSwitch', async () => {
    server.register('pair', 'A B', 2, 2, () => '');
    expect((await ask('none')).text).toBe(
      '"none" is not a valid command (use "list-commands" to see a list of valid commands)\n',
    );
    expect((await ask('pair', 'a')).text).toBe('"pair" command requires at least 2 arguments\n');
    expect((await ask('pair', 'a', 'b', 'c')).text).toBe(
      '"pair" command takes at most 2 arguments\n',
    );
  });

  it('must have text for arguments', async () => {
    const reply = await rawRequest('{"id":1,"method":"version","params":[]}');
    expect(reply).toBe('{"id":1,"result":"test 1.0\\n","error":null}');
    server.register('any', '', 0, 9, () => '');
    const refused = JSON.parse(await rawRequest('{"id":"x","method":"any","params":[1]}'));
    expect(refused).toEqual({
      id: 'x',
      result: null,
      error: '"any" command has non-string argument\n',
    });
  });

  it('are bounded: a connection with too many waiting ones is closed', async () => {
    server.register('never', '', 0, 0, () => {});
    const pending = Array.from({ length: 80 }, () => ask('never'));
    const results = await Promise.allSettled(pending);
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    const other = await UnixctlClient.connect(path);
    expect((await other.transact('version', [])).ok).toBe(true);
    other.close();
  });

  it('that are garbage end their connection and no other', async () => {
    expect(await rawRequest(']')).toBe('');
    expect(await rawRequest('{"id":null,"method":"version","params":[]}')).toBe('');
    expect((await ask('version')).ok).toBe(true);
  });

  it('run without a socket, too', async () => {
    expect(await server.execute('version', [])).toBe('test 1.0\n');
    await expect(server.execute('nothing', [])).rejects.toThrow(/^"nothing" is not a valid/);
  });
});

describe('list-commands', () => {
  it('sorts by name and hides commands without usage', async () => {
    server.register('zebra/show', '[zebra]', 0, 1, () => '');
    server.register('hidden', null, 0, 0, () => '');
    server.unregister('help');
    expect((await ask('list-commands')).text).toBe(
      'The available commands are:\n' +
        '  list-commands           \n' +
        '  version                 \n' +
        '  zebra/show              [zebra]\n',
    );
  });
});

describe('the socket', () => {
  it('is for owner and group alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o750);
  });

  it('is removed by close(), which ends connections', async () => {
    await server.close();
    expect(existsSync(path)).toBe(false);
    await expect(ask('version')).rejects.toThrow(/End of file/);
  });

  it('replaces a file that nobody serves', async () => {
    const stale = join(directory, 'stale.ctl');
    writeFileSync(stale, '');
    const second = new UnixctlServer('');
    await second.listen(stale);
    await second.close();
    expect(existsSync(stale)).toBe(false);
  });

  it('is refused where somebody else serves it', async () => {
    const taken = join(directory, 'taken.ctl');
    const other = createServer().listen(taken);
    await new Promise((resolve) => other.once('listening', resolve));
    const second = new UnixctlServer('');
    await expect(second.listen(taken)).rejects.toMatchObject({ code: 'E_UNIXCTL_LISTEN' });
    expect(existsSync(taken)).toBe(true);
    await new Promise((resolve) => other.close(resolve));
  });

  it('needs a directory', async () => {
    const second = new UnixctlServer('');
    const nowhere = join(directory, 'missing', 'x.ctl');
    await expect(second.listen(nowhere)).rejects.toMatchObject({ code: 'E_UNIXCTL_LISTEN' });
  });
});

/** Sends `text` on a connection of its own; what came back until one value or the end. */
function rawRequest(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(text));
    socket.once('data', (chunk) => {
      resolve(chunk.toString());
      socket.destroy();
    });
    socket.once('end', () => resolve(''));
    socket.once('error', reject);
  });
}
