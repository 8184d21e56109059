/**
 * Claims: texters take conversations from the pool. Start with `serve-round.ts`. In the order in which a claim passes through them:
 *
 * contract               requests, jobs and messages, with their zod schemas
 * coordinator            collects the claims of a worker in a backlog; the lease decides who serves; replies go to the others
 * serve-round            one round; rules decides what each claim gets, and claim what becomes of it
 * claim-store            the transaction of a round; round-store reads and writes in it
 * pool-reader            the conversations that no operation has planned; texter-loads counts those of texters
 *
 * end-waiting, blocked-claims   claims that wait; claim-queue wakes their jobs
 * claim-parts            connects the coordinator with the store and with those who watch
 */
export { type Claim, needsAnotherRound, snoozeDelayMs, toServedClaim } from './claim.ts';
export { type ClaimParts, createClaimParts } from './claim-parts.ts';
export { ClaimQueue, EndedClaims } from './claim-queue.ts';
export { MongoClaimStore } from './claim-store.ts';
export {
  CLAIM_JOB,
  CLAIM_JOB_OPTIONS,
  type ClaimAnswer,
  claimJob,
  parseClaimRequest,
  type ClaimRequest,
  parseClaimJob,
  parsePoolRefilledJob,
  POOL_REFILLED_JOB,
  poolRefilledJobOptions,
  type ServedClaim,
} from './contract.ts';
export { ClaimCoordinator } from './coordinator.ts';
export { endWaitingClaims } from './end-waiting.ts';
export { ClaimsDelayed, type ClaimStore } from './ports.ts';
export { toClaim } from './round-store.ts';
export type { TexterLoad } from './rules.ts';
export { serveClaims } from './serve-round.ts';
