import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const ROOT = new URL('../..', import.meta.url).pathname;

/** A copy of parts of this checkout, for a test that changes or writes files in a checkout. */
export interface CheckoutCopy {
  readonly folder: string;
  readonly remove: () => Promise<void>;
}

/** Copies these files and folders. The packages are the same ones. */
export async function copyCheckout(names: readonly string[]): Promise<CheckoutCopy> {
  const folder = await mkdtemp(join(tmpdir(), 'baton-test-checkout-'));
  const remove = () => rm(folder, { recursive: true });
  for (const name of names) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return { folder, remove };
}
