import { Types } from 'mongoose';

/** The ids of a batch are written twice: in the batch and in the filter of its moves. This converts them once. */
const converted = new WeakMap<readonly string[], Types.ObjectId[]>();

export function objectIds(ids: readonly string[]): Types.ObjectId[] {
  const known = converted.get(ids);
  if (known) return known;
  const made = ids.map((id) => new Types.ObjectId(id));
  converted.set(ids, made);
  return made;
}
