import type { Reporter, TestModule } from 'vitest/node';

/** Begins the reason in the title of a skipped test; see `needs.ts`. */
export const SKIPPED_BECAUSE = ' [skipped: ';

/** Lists at the end of a run each test that was skipped because of its servers, with what it needs. */
export class SkippedTests implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const titles = modules.flatMap(({ relativeModuleId, children }) =>
      [...children.allTests('skipped')].map(({ fullName }) => `${relativeModuleId}: ${fullName}`),
    );
    const skipped = titles.filter((title) => title.includes(SKIPPED_BECAUSE));
    if (skipped.length === 0) return;
    process.stdout.write(`\n${skipped.length} tests were skipped because of the servers:\n${skipped.join('\n')}\n`);
  }
}
