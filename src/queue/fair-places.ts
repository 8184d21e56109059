import type { RedisConnection } from './connection.ts';
import { JOB_BYTES_MAX } from './job.ts';
import { connectionOf, type KeyedQueue } from './lost-job.ts';

/** Up to this many waiting jobs run in the order in which they were added. */
const UNORDERED_MAX = 1;
/**
 * When no job has a place and more jobs than this wait, they keep the order in which they were added until fewer wait: giving
 * places to all at once would block Redis for seconds. Once a job has a place, every job that waits gets one, however many
 * these are, because BullMQ takes jobs without a place first. Then few wait, because each fetch gives places.
 */
const ORDERED_MAX = 200_000;

/**
 * Moves the jobs of the waiting list `KEYS[1]`, oldest first, to places in BullMQ's set of prioritized jobs `KEYS[2]`. A place
 * is a number, and the lowest one runs first. Each next job of a campaign gets the next number, and the first one gets the
 * number of the job that runs next. So a campaign with one job waits for one job of each other campaign, however many these
 * have. `KEYS[3]` has the last place of each campaign, and is deleted when no job has a place. `KEYS[4]` is BullMQ's counter,
 * which orders equal places. `ARGV[1]` begins the keys of jobs. Programs may send anything as a campaign's id, so only its
 * hash is stored.
 *
 * Jobs that have run before continue an accepted operation, and single moves wait for no operation, so they have places of
 * their own. The data of a job that is too large to run is not read.
 *
 * If Redis loses `KEYS[3]` while jobs have places, nobody knows whose these are. So each campaign begins behind the highest
 * place, which the field `lost` keeps: no job runs before an earlier one of its campaign. A damaged last place counts as the
 * highest one too. A job leaves the waiting list after it has its place, so an error in between loses no job.
 */
const GIVE_PLACES = `
  local function isA(key, kind)
    local found = redis.call('type', key).ok
    return found == kind or found == 'none'
  end
  if not isA(KEYS[1], 'list') or not isA(KEYS[2], 'zset') then return 0 end
  local waiting, placed = redis.call('llen', KEYS[1]), redis.call('zcard', KEYS[2])
  if placed == 0 or not isA(KEYS[3], 'hash') then redis.call('del', KEYS[3]) end
  if waiting == 0 or (placed == 0 and (waiting <= ${UNORDERED_MAX} or waiting > ${ORDERED_MAX})) then return placed end
  local counter = isA(KEYS[4], 'string') and redis.call('get', KEYS[4]) or ''
  if not string.match(counter, '^[1-9]%d*$') or #counter > 15 then redis.call('del', KEYS[4]) end

  local function finite(number)
    return number and math.abs(number) < 0x20000000000000 and math.floor(number) or nil
  end
  local function placeAt(rank)
    local score = tonumber(redis.call('zrange', KEYS[2], rank, rank, 'withscores')[2])
    return finite(score and score / 0x100000000)
  end
  local now = placeAt(0) or 1
  local highest = placeAt(-1) or now
  if placed > 0 and redis.call('exists', KEYS[3]) == 0 then redis.call('hset', KEYS[3], 'lost', highest) end
  local function lastOf(group)
    local last = redis.call('hget', KEYS[3], group) or redis.call('hget', KEYS[3], 'lost')
    return last and math.min(finite(tonumber(last)) or highest, highest) or 0
  end
  local function groupOf(key)
    local bytes = redis.pcall('hstrlen', key, 'data')
    if type(bytes) ~= 'number' or bytes > ${JOB_BYTES_MAX} then return '' end
    local job = redis.call('hmget', key, 'data', 'ats')
    local data = job[1] or ''
    local group = string.match(data, '"campaignId"%s*:%s*"([^"]*)"') or ''
    if job[2] then return 'again ' .. group end
    return string.match(data, '"kind"%s*:%s*"%a+-one"') and 'one ' .. group or group
  end
  for _ = 1, waiting do
    local id = redis.call('lindex', KEYS[1], -1)
    local group = redis.sha1hex(groupOf(ARGV[1] .. id))
    local place = math.max(now, lastOf(group) + 1)
    local count = redis.call('incr', KEYS[4])
    redis.call('zadd', KEYS[2], string.format('%.0f', place * 0x100000000 + count % 0x100000000), id)
    redis.call('rpop', KEYS[1])
    redis.call('hset', KEYS[3], group, string.format('%.0f', place))
    highest = math.max(highest, place)
  end
  return placed + waiting`;

const GIVE = 'givePlaces';

type Command = (...keysAndArguments: readonly string[]) => Promise<unknown>;

/**
 * Lets the jobs of a queue run in turn of their campaigns. The worker does this, so it holds for the jobs of every producer.
 */
export class FairPlaces {
  private readonly redis: Record<typeof GIVE, Command>;
  private readonly keys: readonly string[];

  constructor(queue: KeyedQueue) {
    const redis = connectionOf(queue) as RedisConnection & Record<typeof GIVE, Command>;
    redis.defineCommand(GIVE, { numberOfKeys: 4, lua: GIVE_PLACES });
    this.redis = redis;
    const placesKey = `${queue.opts.prefix ?? ''}:${queue.name}-places`;
    this.keys = [queue.toKey('wait'), queue.toKey('prioritized'), placesKey, queue.toKey('pc'), queue.toKey('')];
  }

  /** Gives places to the jobs that wait without one. Returns the number of jobs with a place. */
  async give(): Promise<number> {
    return Number(await this.redis[GIVE](...this.keys));
  }

  /** The same as a part of a transaction of the same connection. */
  giveIn(transaction: object): void {
    void (transaction as Record<typeof GIVE, Command>)[GIVE](...this.keys);
  }
}
