import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { baton: new URL('./src/index.ts', import.meta.url).pathname } },
  test: {
    include: ['test/**/*.test.ts'],
    // Each file has a database, queues or servers of its own. More at a time than this would only wait for each other.
    maxWorkers: 2,
    // Behaviour is tested on real services: the first answer of a cold one may take a while.
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
