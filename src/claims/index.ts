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
