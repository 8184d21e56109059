import type { IRedisClient, IRedisTransaction, RedisQueueBackend } from 'bullmq';
import type { ErrorListener } from '../src/queue/connection.ts';
import { FairPlaces } from '../src/queue/fair-places.ts';
import { JOB_BYTES_MAX } from '../src/queue/job.ts';
import { connectionOf, type KeyedQueue } from '../src/queue/lost-job.ts';
import { isFromReplica, meaningOf } from '../src/queue/redis-errors.ts';
import { problemOfFields, setAsideIfUnreadable } from '../src/queue/set-aside.ts';

/** BullMQ's commands that answer with the next job. */
const FETCH = 'moveToActive';
const FINISH_AND_FETCH = 'moveToFinished';
/** After so many unreadable jobs in a row the worker waits for the next job as usual. */
const ROUNDS_MAX = 100;

/** What a job that is too large has instead of its data. The executor refuses it. */
const OVERSIZED = '__bytes';

/** The names and values of a job's fields in turn, and its id. */
type Fetched = [fields: string[], jobId: string, ...delays: number[]];

/**
 * Checks each job before BullMQ parses it. For a job with damaged fields BullMQ would throw an error, pause for 15 seconds,
 * and take the job again for ever. Such a job is set aside. Data above the limit of size is never parsed.
 */
export function screenJobs(backend: RedisQueueBackend, queueOf: () => KeyedQueue): void {
  const execute = backend.execCommand.bind(backend);
  backend.execCommand = (client, command, args) => {
    const fetch = (): Promise<unknown> => execute(client, command, args) as Promise<unknown>;
    if (command === FETCH) return fetchReadable(fetch, queueOf());
    return command === FINISH_AND_FETCH ? screened(fetch, queueOf()) : (execute(client, command, args) as unknown);
  };
}

/**
 * Gives the waiting jobs their places and fetches one, in one transaction of Redis. BullMQ takes jobs without a place first. With
 * two commands, a job that is added between them would run before all that wait, also before earlier ones of its campaign.
 */
export function fetchFairly(backend: RedisQueueBackend, queueOf: () => KeyedQueue, onError: ErrorListener): void {
  const execute = backend.execCommand.bind(backend);
  let places: FairPlaces | undefined;
  backend.execCommand = (client, command, args) => {
    if (command !== FETCH && command !== FINISH_AND_FETCH) return execute(client, command, args) as unknown;
    places ??= new FairPlaces(queueOf());
    const transaction = (client as IRedisClient).multi();
    places.giveIn(transaction);
    void execute(transaction, command, args);
    return fetchedBy(transaction, {
      again: () => execute(client, command, args) as Promise<unknown>,
      onPlacesError: (error) => {
        // The command alone loads a script that Redis has forgotten. A transaction cannot.
        if (isForgotten(error)) void places?.give().catch(() => undefined);
        else if (concernsScript(error)) onError(error);
      },
    });
  };
}

interface Fetching {
  /** Fetches without a transaction. */
  readonly again: () => Promise<unknown>;
  readonly onPlacesError: (error: Error) => void;
}

/**
 * Fetches again without the transaction when nothing was fetched: the connection was lost, Redis refused the transaction, has
 * forgotten the script of the fetch, or is a replica now. The command alone handles each of these.
 */
async function fetchedBy(transaction: IRedisTransaction, { again, onPlacesError }: Fetching): Promise<unknown> {
  const results = await transaction.exec().catch(() => null);
  const [given, fetched] = results ?? [];
  if (given?.[0]) onPlacesError(given[0]);
  if (!fetched || isForgotten(fetched[0]) || isFromReplica(fetched[0])) return again();
  if (fetched[0]) throw fetched[0];
  return fetched[1];
}

function isForgotten(error: Error | null): boolean {
  return error?.message.startsWith('NOSCRIPT') === true;
}

/** Other errors concern the connection or the state of Redis. The fetch in the same transaction meets them too. */
function concernsScript(error: Error): boolean {
  return error.name === 'ReplyError' && meaningOf(error)?.isPermanent !== false;
}

async function fetchReadable(fetch: () => Promise<unknown>, queue: KeyedQueue): Promise<unknown> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const fetched = await screened(fetch, queue);
    if (fetched !== undefined) return fetched;
  }
  return undefined;
}

/** Returns `undefined` if the fetched job was set aside. */
async function screened(fetch: () => Promise<unknown>, queue: KeyedQueue): Promise<unknown> {
  const fetched = await fetch().catch(async (error: unknown) => {
    if (await setActiveAside(queue, error)) return undefined;
    throw error;
  });
  if (!isJob(fetched)) return fetched;
  const [fields, jobId] = fetched;
  replaceOversized(fields);
  if (problemOfFields(fieldsOf(fields)) === undefined) return fetched;
  await setAsideIfUnreadable(queue, jobId);
  return undefined;
}

/** When the key of a job has the wrong type, Redis names no job. The job is in the list of active jobs by then. */
async function setActiveAside(queue: KeyedQueue, error: unknown): Promise<boolean> {
  if (!(error instanceof Error) || !error.message.includes('WRONGTYPE')) return false;
  const active = await connectionOf(queue).lrange(queue.toKey('active'), 0, -1);
  const setAside = await Promise.all(active.map((id) => setAsideIfUnreadable(queue, id)));
  return setAside.includes(true);
}

function isJob(fetched: unknown): fetched is Fetched {
  return Array.isArray(fetched) && Array.isArray(fetched[0]) && typeof fetched[1] === 'string';
}

function fieldsOf(fields: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 0; at + 1 < fields.length; at += 2) found[fields[at] ?? ''] = fields[at + 1] ?? '';
  return found;
}

function replaceOversized(fields: string[]): void {
  const at = fields.findIndex((name, index) => index % 2 === 0 && name === 'data') + 1;
  const bytes = at === 0 ? 0 : Buffer.byteLength(fields[at] ?? '');
  if (bytes > JOB_BYTES_MAX) fields[at] = JSON.stringify({ [OVERSIZED]: bytes });
}

/** Returns the size of a job's data that was not parsed because of its size. */
export function oversizedBytes(data: unknown): number | undefined {
  const bytes = typeof data === 'object' && data !== null ? (data as Record<string, unknown>)[OVERSIZED] : undefined;
  return typeof bytes === 'number' ? bytes : undefined;
}
