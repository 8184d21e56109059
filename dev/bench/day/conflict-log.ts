import { z } from 'zod';
import type { LogLine } from '../../sandbox.ts';

const counts = z.object({ batch: z.number(), claim: z.number(), move: z.number() });
const conflictLine = z.object({ msg: z.literal('conflicts'), pid: z.number(), conflicts: counts });

export type Conflicts = z.infer<typeof counts>;

/** Adds up the conflicts that worker processes have counted, from the lines that they log at the end of each operation. */
export class ConflictLog {
  private readonly newestByPid = new Map<number, Conflicts>();

  note(line: LogLine): void {
    const { success, data } = conflictLine.safeParse(line);
    if (success) this.newestByPid.set(data.pid, data.conflicts);
  }

  get total(): Conflicts {
    const total = { batch: 0, claim: 0, move: 0 };
    for (const { batch, claim, move } of this.newestByPid.values()) {
      total.batch += batch;
      total.claim += claim;
      total.move += move;
    }
    return total;
  }
}
