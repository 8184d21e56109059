import type { Ground } from './ground.ts';
import { median } from './load.ts';

/** From the start of a worker process to the moment it takes jobs, in milliseconds: the median of a few. */
export async function benchStart(ground: Ground, times: number): Promise<number> {
  const took: number[] = [];
  for (let time = 0; time < times; time += 1) {
    await ground.place.setWorkers(0);
    const startedAt = performance.now();
    await ground.place.setWorkers(1);
    took.push(performance.now() - startedAt);
  }
  return median(took);
}
