import type { Command } from 'commander';
import { errorText } from '../../domain/safe-text.ts';
import { operationId } from '../../domain/ids.ts';
import type { ClaimResult, SentClaim } from '../../producer/index.ts';
import { CLAIMS_QUEUE } from '../../queue/job.ts';
import { id, newId, seconds } from '../arguments.ts';
import { findTexter, openCampaign, type CampaignSession } from '../lookup.ts';
import { CAMPAIGN, countOption, waitOption } from '../options.ts';
import { blocks, fittedTable } from '../layout.ts';
import { poolText } from '../pool-text.ts';
import { waitFor } from '../waiting.ts';
import { SHORT_BECAUSE } from '../words.ts';
import type { Session } from '../session.ts';
import { counted, type Output, type Text } from '../terminal.ts';

interface SelfAssignOptions {
  readonly texter: string;
  readonly count?: number;
  readonly id?: string;
  /** In seconds. */
  readonly waitForMore?: number;
  /** In seconds. */
  readonly wait: number;
}

export function addSelfAssign(program: Command, session: Session): void {
  program
    .command('self-assign')
    .description('Gives a texter the oldest not-started conversations of the pool, within the rules of the campaign.')
    .argument(...CAMPAIGN)
    .requiredOption('--texter <texter>', 'the texter who asks, by id or name')
    .addOption(countOption('how many. Default: as many as the campaign allows for one claim'))
    .option(
      '--id <id>',
      'the id of the claim. Sending the same id again returns the same list. Default: a new id',
      id('--id', operationId),
    )
    .option('--wait-for-more <seconds>', 'if the pool has too few, wait this long for more', seconds('--wait-for-more'))
    .addOption(waitOption())
    .action(async (campaign: string, options: SelfAssignOptions) =>
      session.print(await selfAssign(session, campaign, options)),
    );
}

async function selfAssign(session: Session, campaign: string, options: SelfAssignOptions): Promise<Output> {
  const of = await openCampaign(session, campaign);
  const texter = findTexter(of, options.texter);
  const { count, waitForMore } = options;
  const sent = await (
    await session.producer()
  ).selfAssign({
    operationId: options.id ?? newId('op'),
    campaignId: of.campaign.campaignId,
    texterId: texter.texterId,
    ...(count !== undefined && { count }),
    ...(waitForMore !== undefined && { waitMs: waitForMore * 1_000 }),
  });
  const waitMs = (options.wait + (waitForMore ?? 0)) * 1_000;
  const cancellation = waitForMore === undefined ? undefined : new Cancellation(session, of, sent);
  const awaited = { queue: CLAIMS_QUEUE, operationId: sent.operationId, what: 'the claim' };
  const wait = (): Promise<ClaimResult> => sent.result({ waitMs });
  const result = await waitFor(session, { ...awaited, onSignal: cancellation?.start }, wait).finally(
    // The result can arrive before the answer of the cancellation, which needs the producer too.
    () => cancellation?.ended,
  );
  const { shortBecause } = result.receipt;
  const pool = session.json
    ? false
    : await poolText(of.context.stores.conversations, of.campaign.campaignId, shortBecause);
  const contacts = session.json ? [] : await contactsOf(of, result.conversationIds);
  return { json: result, text: claimText(result, of.names.inText(texter.texterId), { pool, contacts }) };
}

/**
 * Names a claim before the command waits, so that it can be looked up, and cancels it on Ctrl-C. Otherwise a texter who has left
 * would still be given conversations.
 */
class Cancellation {
  ended: Promise<void> | undefined;
  private readonly session: Session;
  private readonly claim: { readonly operationId: string; readonly campaignId: string };

  constructor(session: Session, { campaign: { campaignId } }: CampaignSession, { operationId }: SentClaim) {
    this.session = session;
    this.claim = { operationId, campaignId };
    session.note(`claim ${operationId} waits for conversations. Ctrl-C cancels the claim.`);
  }

  readonly start = (): void => {
    const { session, claim } = this;
    const cancelled = session.producer().then((producer) => producer.cancel(claim));
    // A claim that has ended meanwhile cannot be cancelled, and its result is printed.
    this.ended = cancelled.then(
      () => session.note(`claim ${claim.operationId} was cancelled.`),
      (error: unknown) => session.note(`claim ${claim.operationId} was not cancelled: ${errorText(error)}`),
    );
  };
}

/** The conversations of a claim with the names that the texter sees. */
async function contactsOf({ context, campaign }: CampaignSession, ids: readonly string[]): Promise<Row[]> {
  const records = await context.views.findByIds(campaign.campaignId, ids);
  const names = new Map(records.map(({ conversationId, name }) => [conversationId, name]));
  return ids.map((id) => [id, names.get(id) ?? '']);
}

type Row = readonly [conversationId: string, contact: string];

const COLUMNS = ['conversation', { title: 'contact', isShortened: true }] as const;

function claimText(
  { operationId: claimId, outcome, conversationIds, receipt }: ClaimResult,
  name: string,
  { pool, contacts }: { readonly pool: string | false; readonly contacts: readonly Row[] },
): Text {
  const short = receipt.shortBecause ? `: ${SHORT_BECAUSE[receipt.shortBecause]}` : '';
  const stored = outcome === 'exists' ? ' It was sent before; this is its stored answer.' : '';
  const given = counted(conversationIds.length, 'conversation');
  const answer = `Claim ${claimId} gave ${name} ${given}${short}.${stored}`;
  return blocks(pool === false ? answer : `${answer}\n${pool}`, contacts.length > 0 && fittedTable(COLUMNS, contacts));
}
