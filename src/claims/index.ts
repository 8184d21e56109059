export { type Claim, needsAnotherRound, snoozeDelayMs, toServedClaim } from './claim.ts';
export { ClaimQueue } from './claim-queue.ts';
export { MongoClaimStore } from './claim-store.ts';
export {
  CLAIM_JOB,
  CLAIM_JOB_OPTIONS,
  type ClaimAnswer,
  type ClaimJob,
  claimJob,
  type ClaimRequest,
  newClaimJob,
  newPoolRefilledJob,
  parseClaimJob,
  parseClaimRequest,
  parsePoolRefilledJob,
  POOL_REFILLED_JOB,
  poolRefilledJob,
  poolRefilledJobOptions,
  type ServedClaim,
} from './contract.ts';
export { ClaimCoordinator } from './coordinator.ts';
export { ClaimsDelayed, type ClaimStore } from './ports.ts';
export { toClaim } from './round-store.ts';
