import { defineConfig } from 'vitest/config';
import { SkippedTests } from './test/support/skipped-tests.ts';

const FAULTS = [
  'test/faults/**/*.test.ts',
  'test/pairs/**/*.test.ts',
  'test/package/**/*.test.ts',
  'test/dev/bench.test.ts',
  'test/dev/run-cli.test.ts',
];

export default defineConfig({
  resolve: { alias: { '@baton-texting/baton': new URL('./src/index.ts', import.meta.url).pathname } },
  test: {
    // Two test files at a time fill a machine of two cores. Each file has its own database and its own queues.
    maxWorkers: 2,
    // Each worker process loads the modules once for all its files. Loading them for each file took a quarter of the time.
    isolate: false,
    // Before each test, undo what an earlier one has replaced.
    restoreMocks: true,
    unstubEnvs: true,
    // Tests use real services, whose first answer can take seconds on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ['default', new SkippedTests()],
    projects: [
      { extends: true, test: { name: 'main', include: ['test/**/*.test.ts'], exclude: FAULTS } },
      // Tests that kill processes, wait for time limits, let writers meet, compare with the model, build the package, or run
      // benchmarks. They take minutes, so `npm test` leaves them out.
      { extends: true, test: { name: 'faults', include: FAULTS } },
    ],
  },
});
