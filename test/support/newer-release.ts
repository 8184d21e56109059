import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JOB_VERSION } from '../../src/queue/job.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

/** A copy of the sources whose jobs have the next version: what a later release will be. */
export async function createNewerRelease(): Promise<{ readonly main: string; readonly remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'baton-newer-'));
  for (const name of ['src', 'workers', 'package.json'])
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, 'src/queue/job.ts');
  const present = `JOB_VERSION = ${JOB_VERSION};`;
  const text = await readFile(file, 'utf8');
  if (!text.includes(present)) throw new Error(`${file} has no line with ${present}`);
  await writeFile(file, text.replace(present, `JOB_VERSION = ${JOB_VERSION + 1};`));
  return { main: join(folder, 'workers/main.ts'), remove: () => rm(folder, { recursive: true }) };
}
