import type { Config } from '../../config.ts';
import { createContext, type Context } from '../../context.ts';
import type { IncompleteCampaign } from '../../conversations/index.ts';
import { errorText } from '../../domain/safe-text.ts';
import type { Database } from '../../mongo/database.ts';
import { MIGRATE_ACTIONS, missingRights, readPrivileges, WORK_ACTIONS } from '../../mongo/mongodb-rights.ts';
import { probeFeatures, type FeatureProblems } from '../../mongo/probe-features.ts';
import { hasCode, UNAUTHORIZED } from '../../mongo/server-errors.ts';
import type { DatabaseFacts } from '../../telemetry/index.ts';
import { counted } from '../terminal.ts';
import { fail, ok, warn, type Check } from './check.ts';

const MONGODB_MAJOR_MIN = 5;
const MAJORITY_LAG_S_MAX = 10;
/** Each transaction waits for the majority once, and a claim or a single move is one transaction. */
const MAJORITY_WRITE_MS_MAX = 100;
const REPLICA_SET = 'use a replica set of MongoDB';
const CAMPAIGNS_SHOWN_MAX = 5;

const NO_PROMISE = 'a conversation could be given to two texters';

const KILLED_TODO =
  'the documents of a transaction that a killed process left are blocked for up to 90 s; ' +
  'set transactionLifetimeLimitSeconds to 10';

export async function checkDatabase(config: Config): Promise<Check[]> {
  try {
    const context = await createContext(config);
    try {
      const rights = await rightChecks(context.database);
      // The other checks need the rights.
      if (rights.some(({ outcome }) => outcome === 'fail')) return rights;
      const facts = await context.health.readFacts();
      const isUsable = facts.missingRequired.length + facts.indexConflicts.length === 0;
      return [...databaseChecks(facts), ...rights, ...(isUsable ? await usableChecks(context) : [])];
    } finally {
      await context.close();
    }
  } catch (error) {
    return [fail('MongoDB', errorText(error), 'set MONGODB_URI to the address of a running server')];
  }
}

/** Checks that need the collections and indexes of Baton. The probes write, so they create no collection by accident. */
async function usableChecks({ database, completeness }: Context): Promise<Check[]> {
  return [...(await checkFeatures(database)), ...documentChecks(await completeness.findIncomplete())];
}

async function checkFeatures(database: Database): Promise<Check[]> {
  try {
    return featureChecks(await probeFeatures(database));
  } catch (error) {
    if (!hasCode(error, UNAUTHORIZED)) throw error;
    return [fail('rights', errorText(error), 'the user may not write: give it the rights of docs/rights.md')];
  }
}

async function rightChecks(database: Database): Promise<Check[]> {
  const privileges = await readPrivileges(database);
  if (!privileges) return [ok('MongoDB rights', 'the server says nothing about them, or allows everything')];
  const missing = missingRights(privileges, database.name, WORK_ACTIONS);
  if (missing.length > 0) {
    return [
      fail('MongoDB rights', `missing: ${missing.join('; ')}`, 'see the smallest set of rights in docs/rights.md'),
    ];
  }
  const forMigrate = missingRights(privileges, database.name, MIGRATE_ACTIONS);
  const others = forMigrate.length === 0 ? '' : `; \`baton migrate\` also needs ${forMigrate.join(', ')}`;
  return [ok('MongoDB rights', `all of a worker${others}`)];
}

function databaseChecks(facts: DatabaseFacts): Check[] {
  const { version, replicaSet } = facts;
  const found = `version ${version}`;
  return [
    Number.parseInt(version, 10) < MONGODB_MAJOR_MIN
      ? warn('MongoDB', found, `use MongoDB ${MONGODB_MAJOR_MIN} or newer`)
      : ok('MongoDB', found),
    replicaSet === null
      ? fail('transactions', 'a single server', 'run MongoDB as a replica set: batches are applied in transactions')
      : ok('transactions', replicaSet),
    ...majorityChecks(facts),
    ...shardingChecks(facts),
    ...indexChecks(facts),
  ];
}

/** Writes wait for the majority. A server that is no member of a replica set says nothing about it. */
function majorityChecks({ majorityLagS, arbiterCount }: DatabaseFacts): Check[] {
  if (majorityLagS === null) return [];
  const found = `${majorityLagS} s behind the primary, ${counted(arbiterCount, 'arbiter')}`;
  if (majorityLagS >= MAJORITY_LAG_S_MAX) {
    return [fail('majority', found, 'every write waits for it: start the members that are down')];
  }
  const todo = 'replace it with a member that stores data: with an arbiter, writes wait while one other member is down';
  return [arbiterCount > 0 ? warn('majority', found, todo) : ok('majority', found)];
}

/** A unique index of a sharded collection must contain the shard key, and ids are unique on each shard only. */
function shardingChecks({ shardedCollections }: DatabaseFacts): Check[] {
  if (shardedCollections === null) {
    return [warn('sharding', 'unknown', 'give the user the right collStats, so that sharded collections are found')];
  }
  if (shardedCollections.length === 0) return [];
  const found = `sharded: ${shardedCollections.join(', ')}`;
  return [fail('sharding', found, 'keep the collections of Baton on one shard: ids and locks must be unique')];
}

/** A worker refuses to start without a required index, so such an index fails the check. */
function indexChecks({ missingRequired, missingIndexes, indexConflicts, indexCount }: DatabaseFacts): Check[] {
  const todo = 'create them with `baton migrate`';
  const checks = [
    ...(missingRequired.length > 0 ? [fail('indexes', `missing: ${missingRequired.join('; ')}`, todo)] : []),
    ...(missingIndexes.length > 0 ? [warn('indexes', `missing: ${missingIndexes.join('; ')}`, todo)] : []),
    ...indexConflicts.map((conflict) => fail('indexes', "a collection or index differs from Baton's", conflict)),
  ];
  return checks.length > 0 ? checks : [ok('indexes', `all ${indexCount}`)];
}

/** The features that the server was tested for. Each problem names its consequence. */
export function featureChecks(problems: FeatureProblems): Check[] {
  const { transactions, snapshots, guardedWrites, killedProcesses, majorityWriteMs } = problems;
  return [
    transactions === undefined
      ? ok('isolation', 'a write is invisible until its commit, and of two that conflict one fails')
      : fail('isolation', `the server ${transactions}`, `workers do not start, because ${NO_PROMISE}; ${REPLICA_SET}`),
    snapshots === undefined
      ? ok('snapshot reads', 'several reads see one moment')
      : fail('snapshot reads', `the server ${snapshots}`, `counts and limits are wrong or fail; ${REPLICA_SET}`),
    guardedWrites === undefined
      ? ok('guarded writes', 'conversations are found by their ids alone')
      : warn('guarded writes', `the server ${guardedWrites}`, 'every batch and claim is slow in a large database'),
    killedProcesses === undefined
      ? ok('killed processes', 'their transactions can be ended')
      : warn('killed processes', `the server ${killedProcesses}`, KILLED_TODO),
    majorityWriteMs <= MAJORITY_WRITE_MS_MAX
      ? ok('majority writes', `${majorityWriteMs} ms`)
      : warn('majority writes', `${majorityWriteMs} ms`, 'every transaction waits this long; move the members closer'),
  ];
}

/** What other programs have left incomplete, and the conversations that no texter of the campaign has. */
function documentChecks(campaigns: readonly IncompleteCampaign[]): Check[] {
  const check = (
    field: 'incomplete' | 'texters' | 'withoutTexter',
    name: string,
    what: string,
    todo: string,
  ): Check => {
    const found = campaigns.filter((campaign) => campaign[field] > 0);
    const listed = found.slice(0, CAMPAIGNS_SHOWN_MAX).map((each) => `${each[field]} in campaign ${each.campaignId}`);
    const more = found.length > listed.length ? `, and in ${found.length - listed.length} more campaigns` : '';
    return found.length === 0 ? ok(name, `none ${what}`) : warn(name, `${what}: ${listed.join(', ')}${more}`, todo);
  };
  return [
    check(
      'incomplete',
      'conversations',
      'incomplete',
      'operations skip them; complete them with `baton repair CAMPAIGN`',
    ),
    check('texters', 'texters', 'incomplete', 'they count as paused; complete them with `baton repair CAMPAIGN`'),
    check(
      'withoutTexter',
      'assignees',
      'not on the campaign',
      '`baton senders CAMPAIGN` names them; release their conversations with `baton unassign CAMPAIGN --from ID`',
    ),
  ];
}
