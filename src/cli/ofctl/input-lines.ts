/**
 * Lines of the standard input, for the commands that test formats.
 */
import { text as readAll } from 'node:stream/consumers';
import type { Session } from './session.js';

async function lines(s: Session): Promise<string[]> {
  const all = await readAll(s.io.stdin);
  return all.replace(/\n$/, '').split('\n');
}

/** Lines that say something; comments are taken off. */
export async function codeLines(s: Session): Promise<string[]> {
  const code = (await lines(s)).map((line) => line.replace(/#.*$/, ''));
  return code.filter((line) => line.trim() !== '');
}

/** As codeLines; lines of comments, and empty ones, are printed in their places. */
export async function testLines(s: Session, use: (line: string) => void): Promise<void> {
  const all = await readAll(s.io.stdin);
  if (all === '') return;
  for (const line of all.replace(/\n$/, '').split('\n')) {
    const code = line.replace(/#.*$/, '');
    if (line.startsWith('#')) s.print(`${line}\n`);
    else if (code.trim() === '') s.print('\n');
    else use(code);
  }
}
