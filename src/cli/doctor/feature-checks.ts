import type { FeatureProblems } from '../../mongo/probe-features.ts';
import { fail, ok, warn, type Check } from './check.ts';

/** Each transaction waits for the majority once, and a claim or a single move is one transaction. */
const MAJORITY_WRITE_MS_MAX = 100;
const REPLICA_SET = 'use a replica set of MongoDB';

/** What the server was seen to do. Each problem says what it costs. */
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

const NO_PROMISE = 'a conversation could be given to two texters';

const KILLED_TODO =
  'the documents of a transaction that a killed process left are blocked for up to 90 s; ' +
  'set transactionLifetimeLimitSeconds to 10';
