import { STATUSES, type Assignee } from '../domain/conversation.ts';
import type { Receipt } from '../domain/receipt.ts';
import type { AssigneeNames } from './assignee-names.ts';
import { blocks, fittedTable } from './layout.ts';
import { counted, type Text } from './terminal.ts';
import { byStatusText, leftText, SHORT_BECAUSE, SKIPPED_BECAUSE, skippedText, workedOnText } from './words.ts';

/** How many conversations an assignee has now. */
export type Loads = ReadonlyMap<Assignee, number>;

/** With more assignees, the numbers are in a table. */
const IN_SENTENCE_MAX = 3;

/** `loads`: what the assignees of the receipt have now, when that is to be said. */
export function receiptText(receipt: Receipt, names: AssigneeNames, loads?: Loads): Text {
  const { shortBecause, left, claimsEnded = 0, pausedTargets = [], overLimit, skipped } = receipt;
  const assignees = assigneesOf(receipt, names);
  const hasTable = assignees.length > IN_SENTENCE_MAX;
  const byStatus = [...receipt.byStatus].sort((a, b) => STATUSES.indexOf(a.status) - STATUSES.indexOf(b.status));
  const details = [
    byStatusText(byStatus),
    receipt.moved > 0 && skippedText(skipped),
    left !== null && left > 0 && leftText(left, shortBecause),
    workedOnText(skipped),
    claimsEnded > 0 && `${counted(claimsEnded, 'waiting claim')} of these texters ended.`,
    pausedTargets.length > 0 && `Paused meanwhile, so they may have received less: ${names.list(pausedTargets)}.`,
    overLimitText(overLimit, names),
  ];
  const now = loads && !hasTable ? nowText(assignees, names, loads) : '';
  return blocks(
    [`${movedText(receipt, names)}${now}`, ...details].filter((line) => line !== false).join('\n'),
    hasTable && assigneesTable(receipt, assignees, names, loads),
    resultsTable(receipt.results),
  );
}

/** All assignees that gave or received, in the order of joining. */
export function assigneesOf({ bySource, byTarget }: Receipt, names: AssigneeNames): Assignee[] {
  return names.sorted([...new Set([...bySource, ...byTarget].map(({ assigneeId }) => assigneeId))]);
}

function movedText(receipt: Receipt, names: AssigneeNames): string {
  const { moved, asked, shortBecause, bySource, byTarget } = receipt;
  const because = shortBecause === null ? '' : `: ${SHORT_BECAUSE[shortBecause]}`;
  if (moved === 0) return nothingText(receipt, because);
  const [from, to] = [bySource, byTarget].map((counts) => names.inSentence(counts.map(({ assigneeId }) => assigneeId)));
  const number = asked === null || asked === moved ? String(moved) : `${moved} of the ${asked} asked for`;
  return `Moved ${number} from ${from} to ${to}${because}.`;
}

function nothingText({ selected, skipped }: Receipt, because: string): string {
  const [only] = skipped;
  if (selected === 1 && only) return `The conversation did not move: ${SKIPPED_BECAUSE[only.reason]}.`;
  const reasons = skippedText(skipped);
  if (reasons !== false) return `Moved nothing${because}. ${reasons}`;
  return `Moved nothing${because === '' ? ': no conversations match' : because}.`;
}

/** " Kevin now has 2, Rebecca 4." */
function nowText(assignees: readonly Assignee[], names: AssigneeNames, loads: Loads): string {
  const [first, ...others] = assignees.map(
    (id) => [id === null ? 'the pool' : names.inText(id), loads.get(id) ?? 0] as const,
  );
  if (!first) return '';
  const rest = others.map(([name, load]) => `, ${name} ${load}`).join('');
  return ` ${capitalized(first[0])} now has ${first[1]}${rest}.`;
}

function capitalized(text: string): string {
  return text.startsWith('the ') ? `T${text.slice(1)}` : text;
}

function assigneesTable(receipt: Receipt, assignees: readonly Assignee[], names: AssigneeNames, loads?: Loads): Text {
  const countOf = (counts: Receipt['bySource'], id: Assignee): number =>
    counts.find(({ assigneeId }) => assigneeId === id)?.count ?? 0;
  const rows = assignees.map((id) => [
    ...[names.of(id), countOf(receipt.byTarget, id), countOf(receipt.bySource, id)],
    ...(loads ? [loads.get(id) ?? 0] : []),
  ]);
  const columns = [{ title: 'texter', isShortened: true }, 'received', 'gave', ...(loads ? ['now has'] : [])] as const;
  return fittedTable(columns, rows);
}

/** Lists the chosen conversations that did not move. */
function resultsTable(results: Receipt['results'] = []): Text | false {
  const unmoved = results.flatMap(({ conversationId, result }) =>
    result === 'moved' ? [] : [[conversationId, result === 'stopped' ? 'stopped before it' : SKIPPED_BECAUSE[result]]],
  );
  return unmoved.length > 0 && fittedTable(['conversation', { title: 'did not move', isShortened: true }], unmoved);
}

const LIMITED = { 'open-max': 'not-started', 'replies-max': 'needs-reply' } as const;
const LIMITS = ['open-max', 'replies-max'] as const;

/** More texters than are named in a sentence have one line together. */
export function overLimitText(overLimit: Receipt['overLimit'] = [], names: AssigneeNames): string | false {
  const lines = LIMITS.flatMap((limit) => {
    const over = overLimit.filter((each) => each.limit === limit);
    return over.length > IN_SENTENCE_MAX ? [manyOverText(over)] : namedOver(over, names);
  });
  return lines.length > 0 && lines.join('\n');
}

type OverLimits = NonNullable<Receipt['overLimit']>;

function namedOver(over: OverLimits, names: AssigneeNames): string[] {
  const byTexter = new Map(over.map((each) => [each.texterId, each]));
  return names.sorted([...byTexter.keys()]).flatMap((texterId) => {
    const { limit, max, count } = byTexter.get(texterId) ?? {};
    if (limit === undefined) return [];
    return `Warning: ${count} ${LIMITED[limit]} conversations for ${names.inText(texterId)}. Claims stop at ${max}.`;
  });
}

function manyOverText(over: OverLimits): string {
  const most = over.reduce((a, b) => (b.count > a.count ? b : a));
  return `Warning: up to ${most.count} ${LIMITED[most.limit]} conversations each for ${over.length} texters. Claims stop at ${most.max}.`;
}
