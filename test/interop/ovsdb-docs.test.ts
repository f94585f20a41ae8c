/**
 * docs/reference-database.md says what the declarations of the database say.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../support/command.js';

const root = join(import.meta.dirname, '../..');

it('is what the generator makes of the declarations', async () => {
  const check = await run([
    process.execPath,
    join(root, 'scripts/gen-database-docs.mjs'),
    '--check',
  ]);
  expect(check.stderr).toBe('');
  expect(check.status).toBe(0);
});
