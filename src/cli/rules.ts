import { z } from 'zod';
import type { SelfAssignSettings } from '../campaigns/index.ts';
import { SELF_ASSIGN_BATCH_MAX } from '../campaigns/index.ts';
import { checked, numberOrWord } from './input.ts';

/** A campaign's rules for texters who ask for more, as typed. */
export interface RuleOptions {
  readonly batchMax?: string;
  readonly openMax?: string;
  readonly repliesMax?: string;
}

const OPEN_MAX = 1_000_000;

/** Lifts the rule on replies. */
const NO_RULE = 'none';

const BATCH = z.int().min(1).max(SELF_ASSIGN_BATCH_MAX);
const OPEN = z.int().min(1).max(OPEN_MAX);
const REPLIES = z.int(`must be a whole number or "${NO_RULE}"`).min(0).max(OPEN_MAX).nullable();

/** The rules that were typed, and no others. Throws a `bad-request` refusal. */
export function rulesOf({ batchMax, openMax, repliesMax }: RuleOptions): Partial<SelfAssignSettings> {
  const replies = repliesMax === NO_RULE ? null : numberOrWord(repliesMax);
  return {
    ...(batchMax !== undefined && { batchMax: checked('batch-max', BATCH, numberOrWord(batchMax)) }),
    ...(openMax !== undefined && { openMax: checked('open-max', OPEN, numberOrWord(openMax)) }),
    ...(replies !== undefined && { repliesMax: checked('replies-max', REPLIES, replies) }),
  };
}

/** For people. */
export function rulesText({ enabled, batchMax, openMax, repliesMax }: SelfAssignSettings): string {
  const replies = repliesMax === null ? '' : `; none while more than ${repliesMax} need a reply`;
  const limits = `at most ${batchMax} at once, ${openMax} not-started held${replies}`;
  return enabled ? limits : `off (when on: ${limits})`;
}
