import { STATUSES, type Assignee } from '../domain/conversation.ts';
import { sumOf } from '../domain/receipt.ts';
import type { Preview } from '../operations/index.ts';
import type { AssigneeNames } from './assignee-names.ts';
import { blocks, fittedTable } from './layout.ts';
import { overLimitText } from './receipt-text.ts';
import type { Text } from './terminal.ts';
import { byStatusText, countedAtText, skippedText, workedOnText } from './words.ts';

export function previewText(preview: Preview, names: AssigneeNames): Text {
  const { moves, moved, skipped, overLimit } = preview;
  const byStatus = STATUSES.map((status) => ({ status, count: sumOf(moves.filter((move) => move.status === status)) }));
  const lines = [
    moved === 0
      ? 'Would move nothing.'
      : `Would move ${moved} from ${inSentence(moves.map(({ from }) => from))} to ${inSentence(moves.map(({ to }) => to))}. Nothing was changed.`,
    byStatusText(byStatus.filter(({ count }) => count > 0)),
    skippedText(skipped),
    workedOnText(skipped),
    overLimitText(overLimit, names),
  ];
  return blocks(
    lines.filter((line) => line !== false).join('\n'),
    assigneesTable(preview, names),
    countedAtText(preview.countedAt),
  );

  function inSentence(ids: readonly (string | null)[]): string {
    return names.inSentence([...new Set(ids)]);
  }
}

/** What each assignee would give, would receive in each status, and would then have. */
function assigneesTable({ moves, assignees }: Preview, names: AssigneeNames): Text {
  const byId = new Map(assignees.map((each) => [each.assigneeId, each]));
  const [byTarget, bySource] = [grouped(moves, ({ to }) => to), grouped(moves, ({ from }) => from)];
  const rows = names.sorted([...byId.keys()]).map((id) => {
    const received = byTarget.get(id) ?? [];
    const gives = sumOf(bySource.get(id) ?? []);
    const { before = 0, after = 0 } = byId.get(id) ?? {};
    const statuses = STATUSES.map((status) => sumOf(received.filter((move) => move.status === status)));
    return [names.of(id), before, gives, sumOf(received), ...statuses, after];
  });
  const columns = [
    { title: 'texter', isShortened: true } as const,
    ...['has now', 'gives', 'gets'],
    ...STATUSES.map((status) => ({ title: status, spare: 1, whenUsed: true }) as const),
    'would have',
  ];
  return fittedTable(columns, rows);
}

type Move = Preview['moves'][number];

/** Thousands of texters can exchange a hundred thousand different moves. */
function grouped(moves: readonly Move[], keyOf: (move: Move) => Assignee): Map<Assignee, Move[]> {
  const groups = new Map<Assignee, Move[]>();
  for (const move of moves) {
    const group = groups.get(keyOf(move));
    if (group) group.push(move);
    else groups.set(keyOf(move), [move]);
  }
  return groups;
}
