/**
 * Four test projects, by what they need:
 *   unit     nothing (unit, property and simulation tests: no root, no addon needed)
 *   system   root, network namespaces and a finished build; one file at a time
 *   interop  the same, and other people's programs (Debian's Open vSwitch tools)
 *   browser  the same, and Chromium: the console's page
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const serial = {
  pool: 'forks' as const,
  fileParallelism: false,
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'test/unit/**/*.test.ts',
            'test/property/**/*.test.ts',
            'test/simulation/**/*.test.ts',
          ],
          testTimeout: 30_000,
          // They compute all the time: every CPU, where Vitest would leave one to others.
          maxWorkers: availableParallelism(),
        },
      },
      { test: { name: 'system', include: ['test/system/**/*.test.ts'], ...serial } },
      { test: { name: 'interop', include: ['test/interop/**/*.test.ts'], ...serial } },
      { test: { name: 'browser', include: ['test/browser/**/*.test.ts'], ...serial } },
    ],
  },
});
