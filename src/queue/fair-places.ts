import type { RedisConnection } from './connection.ts';
import { connectionOf, type KeyedQueue } from './lost-job.ts';

/** Up to this many waiting jobs run in the order in which they were added. */
const UNORDERED_MAX = 1;
/** More jobs than this keep the order in which they were added: giving places to them would block Redis for seconds. */
const ORDERED_MAX = 200_000;
/** Longer than any gap between two jobs of a backlog. */
const PLACES_KEPT_S = 86_400;

/**
 * Moves the jobs of the waiting list `KEYS[1]`, oldest first, to places in BullMQ's set of prioritized jobs `KEYS[2]`. A place
 * is a number, and the lowest one runs first. Each next job of a campaign gets the next number, and the first one gets the
 * number of the job that runs next. So a campaign with one job waits for one job of each other campaign, however many these
 * have. `KEYS[3]` has the last place of each campaign, and `KEYS[4]` is BullMQ's counter, which orders equal places. `ARGV[1]`
 * begins the keys of jobs. Programs may send anything as a campaign's id, so only its hash is stored.
 *
 * Jobs that have run before continue an accepted operation, and single moves wait for no operation, so they have places of
 * their own. BullMQ takes jobs from the waiting list first: no job may stay there while others have places.
 */
const GIVE_PLACES = `
  local function isA(key, kind)
    local found = redis.call('type', key).ok
    return found == kind or found == 'none'
  end
  if not isA(KEYS[1], 'list') or not isA(KEYS[2], 'zset') then return 0 end
  local waiting, placed = redis.call('llen', KEYS[1]), redis.call('zcard', KEYS[2])
  if waiting == 0 or (placed == 0 and (waiting <= ${UNORDERED_MAX} or waiting > ${ORDERED_MAX})) then return placed end
  if placed == 0 or not isA(KEYS[3], 'hash') then redis.call('del', KEYS[3]) end
  if not isA(KEYS[4], 'string') then redis.call('del', KEYS[4]) end
  local head = redis.call('zrange', KEYS[2], 0, 0, 'withscores')
  local now = head[2] and math.floor(tonumber(head[2]) / 0x100000000) or 1
  for _ = 1, waiting do
    local id = redis.call('rpop', KEYS[1])
    local job = redis.pcall('hmget', ARGV[1] .. id, 'data', 'ats')
    local data = not job.err and job[1] or ''
    local group = string.match(data, '"campaignId"%s*:%s*"([^"]*)"') or ''
    if not job.err and job[2] then group = 'again ' .. group
    elseif string.match(data, '"kind"%s*:%s*"%a+-one"') then group = 'one ' .. group end
    group = redis.sha1hex(group)
    local last = tonumber(redis.call('hget', KEYS[3], group)) or 0
    local place = math.max(now, last + 1)
    redis.call('hset', KEYS[3], group, place)
    local count = redis.call('incr', KEYS[4])
    redis.call('zadd', KEYS[2], string.format('%.0f', place * 0x100000000 + count % 0x100000000), id)
  end
  redis.call('expire', KEYS[3], ${PLACES_KEPT_S})
  return placed + waiting`;

type Command = (...keysAndArguments: readonly string[]) => Promise<unknown>;

/**
 * Lets the jobs of a queue run in turn of their campaigns. The worker does this, so it holds for the jobs of every producer.
 */
export class FairPlaces {
  private readonly command: Command;
  private readonly keys: readonly string[];

  constructor(queue: KeyedQueue) {
    const redis = connectionOf(queue) as RedisConnection & { givePlaces: Command };
    redis.defineCommand('givePlaces', { numberOfKeys: 4, lua: GIVE_PLACES });
    this.command = redis.givePlaces.bind(redis);
    const placesKey = `${queue.opts.prefix ?? ''}:${queue.name}-places`;
    this.keys = [queue.toKey('wait'), queue.toKey('prioritized'), placesKey, queue.toKey('pc'), queue.toKey('')];
  }

  /** Gives places to the jobs that wait without one. Returns the number of jobs with a place. */
  async give(): Promise<number> {
    return Number(await this.command(...this.keys));
  }
}
