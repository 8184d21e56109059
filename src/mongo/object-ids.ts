import { Types } from 'mongoose';

/** A batch's ids are written twice, in the batch and in the guard of its moves: they are converted once. */
const converted = new WeakMap<readonly string[], Types.ObjectId[]>();

export function objectIds(ids: readonly string[]): Types.ObjectId[] {
  const known = converted.get(ids);
  if (known) return known;
  const made = ids.map((id) => new Types.ObjectId(id));
  converted.set(ids, made);
  return made;
}
