import { z } from 'zod';
import type { ClaimCommand } from './ports.ts';
import type { Claim } from './claim.ts';
import { claimRequest } from './contract.ts';
import { parseWith } from '../domain/parse.ts';

/** A claim's answer, as it travels from the worker that served it to the one that holds its job. */
export interface Served extends Pick<
  Claim,
  'operationId' | 'requestHash' | 'createdBySendId' | 'state' | 'granted' | 'receipt' | 'error'
> {
  /** Until when it waits for more, in milliseconds since 1970; `null` when it has ended. */
  readonly waitsUntil: number | null;
}

/** What became of something brought to a coordinator: a claim served, a look taken (nothing to tell), or neither. */
export interface ClaimReply {
  readonly id: string;
  readonly served?: Served | undefined;
  readonly failure?: string | undefined;
}

/** What is brought to a coordinator: a claim under its id, or a look at the claims that wait, under one of its own. */
export interface Brought {
  readonly id: string;
  readonly command: ClaimCommand | null;
}

/** What a coordinator has, with whom to answer it to: brought here, or forwarded over by another coordinator. */
export interface ForwardedClaim {
  readonly coordinatorId: string;
  readonly brought: Brought;
}

/** As far as whoever awaits it looks before the request's own hash has told that it is theirs. */
const answer = z.looseObject({
  operationId: z.string(),
  requestHash: z.string(),
  granted: z.array(z.string()),
  waitsUntil: z.number().nullable(),
});

const messages = z.array(
  z.object({
    id: z.string(),
    served: z.custom<Served>((value) => answer.safeParse(value).success).optional(),
    failure: z.string().optional(),
  }),
);

const forwarded = z.object({
  coordinatorId: z.string(),
  brought: z
    .object({
      id: z.string(),
      command: z.object({ request: claimRequest, requestHash: z.string(), sendId: z.string() }).nullable(),
    })
    .refine(({ id, command }) => command === null || command.request.operationId === id, 'a claim under its own id'),
});

export function servedOf(claim: Claim): Served {
  const { operationId, requestHash, createdBySendId, state, granted, receipt, error, waiting } = claim;
  const waitsUntil = waiting ? waiting.until.getTime() : null;
  return { operationId, requestHash, createdBySendId, state, granted, receipt, error, waitsUntil };
}

/** What another coordinator, or anybody else with a hand in Redis, has sent to this one. Throws when it is none of that. */
export function readMessages(text: string): ClaimReply[] {
  return parseWith(messages, JSON.parse(text));
}

/** What was forwarded over of a campaign's. Throws as {@link readMessages}. */
export function readForwarded(text: string, campaignId: string): ForwardedClaim {
  const read = parseWith(forwarded, JSON.parse(text));
  const other = read.brought.command?.request.campaignId ?? campaignId;
  if (other !== campaignId) throw new Error(`expected a claim of campaign ${campaignId}, got one of ${other}`);
  return read;
}
