/** What can be known about a machine before anything is started on it. */
export interface Facts {
  /** `MONGODB_URI` and `REDIS_URL` as the environment gives them; undefined when unset or empty. */
  readonly mongodbUri: string | undefined;
  readonly redisUrl: string | undefined;
  /** An engine answers and the client knows compose. */
  readonly docker: boolean;
  /** A Debian whose apt can fetch packages of other releases. */
  readonly debian: boolean;
  readonly root: boolean;
  readonly redisBinary: boolean;
}

type Source = 'given' | 'docker' | 'private';

export type Choice =
  | { readonly possible: true; readonly mongo: Source; readonly redis: Source }
  | { readonly possible: false; readonly message: string };

/** Given ones first, since somebody wants exactly those; then Docker's, which are the real thing; then our own. */
export function chooseServices(facts: Facts): Choice {
  const mongo = chooseOne(facts.mongodbUri, facts.docker, facts.debian && facts.root);
  const redis = chooseOne(facts.redisUrl, facts.docker, facts.redisBinary || facts.debian);
  if (mongo !== undefined && redis !== undefined) return { possible: true, mongo, redis };
  const missing = [mongo === undefined ? ['MongoDB'] : [], redis === undefined ? ['Redis'] : []].flat().join(' nor ');
  return { possible: false, message: explain(missing) };
}

function chooseOne(given: string | undefined, docker: boolean, ownPossible: boolean): Source | undefined {
  if (given !== undefined) return 'given';
  if (docker) return 'docker';
  return ownPossible ? 'private' : undefined;
}

function explain(missing: string): string {
  return `this command needs MongoDB and Redis, and there is no ${missing} to be had here. ${WHAT_HELPS}`;
}

/** The end of every message that says that services cannot be had. */
export const WHAT_HELPS = [
  'Any one of these helps:',
  '  - set MONGODB_URI (a replica set) and REDIS_URL to servers that may be written to',
  '  - start a Docker engine: private containers are then used and removed at the end',
  '  - run as root on Debian 12 or newer, with its mirror in reach: private servers are then unpacked into a cache',
  '    folder; nothing is installed',
].join('\n');
