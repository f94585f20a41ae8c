/** What is said where a part of the build is missing, by modules (ESM) and bundles (CommonJS). */
import { expect, it } from 'vitest';
import { loadPart } from '../../../src/cli/load-part.js';

it.each(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])('names the part after %s', async (code) => {
  const error = Object.assign(new Error("Cannot find 'x'\nRequire stack:\n- /y"), { code });
  await expect(loadPart('the part', () => Promise.reject(error))).rejects.toMatchObject({
    code: 'E_INCOMPLETE_BUILD',
    message: "this build lacks the part (Cannot find 'x')",
  });
});

it('passes on every other error', async () => {
  const error = new Error('something else');
  await expect(loadPart('the part', () => Promise.reject(error))).rejects.toBe(error);
});
