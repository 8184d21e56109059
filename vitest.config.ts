import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { baton: new URL('./src/index.ts', import.meta.url).pathname } },
  test: {
    include: ['test/**/*.test.ts'],
    // One file at a time: some look at what the servers they share have open.
    maxWorkers: 1,
    // Behaviour is tested on real services: the first answer of a cold one may take a while.
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
