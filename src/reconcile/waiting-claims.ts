import type { Claim } from '../claims/index.ts';
import { attempt, ensureJob, type Pass, type ReconcileDeps } from './pass.ts';

/**
 * Repairs what concerns waiting claims. With ten thousand of them it reads the first of each campaign and one page of all, and a
 * later pass reads the next page: only if one of these has lost its job, the others of its campaign are read too.
 */
export async function reconcileWaiting(deps: ReconcileDeps, pass: Pass): Promise<void> {
  const { report } = pass;
  const { reconcileStore } = deps;
  await forEach(reconcileStore.overdueClaims(), pass, (claim) => endClaim(deps, claim, pass));
  await attempt(report, async () => {
    for await (const first of reconcileStore.firstWaiting()) {
      await attempt(report, () => ensureJob(deps, first, pass));
      await attempt(report, () => notifyPool(deps, first.campaignId, pass));
    }
  });
  await attempt(report, async () => {
    for (const claim of await reconcileStore.nextWaiting()) await attempt(report, () => ensureJob(deps, claim, pass));
  });
  for (const campaignId of [...pass.campaignsWithLostClaims]) {
    await forEach(reconcileStore.waitingOf(campaignId), pass, (claim) => ensureJob(deps, claim, pass));
  }
  await forEach(reconcileStore.claimsToWake(), pass, (claim) => answer(deps, claim));
}

async function forEach(
  pages: AsyncIterable<readonly Claim[]>,
  { report }: Pass,
  act: (claim: Claim) => Promise<unknown>,
): Promise<void> {
  await attempt(report, async () => {
    for await (const page of pages) await Promise.all(page.map((claim) => attempt(report, () => act(claim))));
  });
}

/** The claim's own job should have ended the claim. The claim keeps the conversations that it has received. */
async function endClaim(deps: ReconcileDeps, claim: Claim, { report }: Pass): Promise<void> {
  await deps.stores.claims.endWaiting(claim.operationId);
  await answer(deps, claim);
  report.claimsEnded += 1;
}

async function answer({ stores, jobs }: ReconcileDeps, claim: Claim): Promise<void> {
  if (await jobs.answer(claim)) await stores.claims.noteWoken([claim.operationId]);
}

/** A notification can be lost, and a texter's load can change without one. */
async function notifyPool({ stores, jobs }: ReconcileDeps, campaignId: string, { report }: Pass): Promise<void> {
  const ended = await stores.claims.endRefused(campaignId);
  report.claimsEnded += ended.length;
  if (!(await stores.claims.hasClaimable(campaignId))) return;
  await jobs.poolRefilled(campaignId);
  report.poolsNotified += 1;
}
