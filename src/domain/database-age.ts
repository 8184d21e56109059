/**
 * How far a database has come. Each reconcile pass stores the next one in MongoDB, and then in Redis. A database that was
 * restored from a backup has an earlier one than Redis.
 */
export interface DatabaseAge {
  /** The number of the last reconcile pass. */
  readonly pass: number;
  /** A random id of that pass: two copies of one database count on by themselves and can reach the same number. */
  readonly token: string;
  /** The time of the database at that pass. */
  readonly at: Date;
}

/** `seen` is what Redis has, `found` what MongoDB had when it was read after that. `null`: no pass was counted. */
export function hasGoneBack(seen: DatabaseAge | null, found: DatabaseAge | null): boolean {
  if (!seen) return false;
  if (!found || found.pass < seen.pass) return true;
  return found.pass === seen.pass && found.token !== seen.token;
}
