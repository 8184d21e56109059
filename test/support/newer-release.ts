import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JOB_VERSION } from '../../src/queue/job.ts';
import { copyCheckout } from './checkout-copy.ts';

/** A copy of the sources whose jobs have the next version: what a later release will be. */
export async function createNewerRelease(): Promise<{ readonly main: string; readonly remove: () => Promise<void> }> {
  const { folder, remove } = await copyCheckout(['src', 'workers', 'package.json']);
  const file = join(folder, 'src/queue/job.ts');
  const present = `JOB_VERSION = ${JOB_VERSION};`;
  const text = await readFile(file, 'utf8');
  if (!text.includes(present)) throw new Error(`${file} has no line with ${present}`);
  await writeFile(file, text.replace(present, `JOB_VERSION = ${JOB_VERSION + 1};`));
  return { main: join(folder, 'workers/main.ts'), remove };
}
