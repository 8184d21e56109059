import { z } from 'zod';
import {
  isEnded,
  OPERATION_KINDS,
  OPERATION_STATES,
  type OperationKind,
  type OperationState,
} from '../domain/operation.ts';
import type { Assignee } from '../domain/conversation.ts';

/** Beyond these numbers an event says `many`, and its receiver reads again what it needs. */
export const IDS_OF_CHANGE_MAX = 200;
export const TEXTERS_OF_CHANGE_MAX = 200;
export const OPERATIONS_OF_CHANGE_MAX = 50;

/** What a change does not list, because it would be too much. */
export const OMITTED = ['operations', 'texters', 'conversations'] as const;

const ids = z.array(z.string()).readonly();

export const changedOperation = z.object({
  operationId: z.string(),
  kind: z.enum(OPERATION_KINDS),
  state: z.enum(OPERATION_STATES),
  moved: z.int().describe('How many conversations it has moved so far.'),
  texterId: z.string().optional().describe('The texter of a claim; absent for other operations.'),
});

/** The ids of the conversations that a texter gained and lost. */
export const changedTexter = z.object({ texterId: z.string(), gained: ids, lost: ids });

const change = z.object({
  /** Each operation once, in its newest state. */
  operations: z.array(changedOperation).readonly(),
  texters: z.array(changedTexter).readonly(),
  many: z.array(z.enum(OMITTED)).readonly(),
  /** True when earlier changes were lost. */
  isAfterGap: z.boolean(),
});

/** What has changed on a campaign within a short time. It contains ids and numbers only. */
export type Change = z.output<typeof change>;
export type ChangedOperation = Change['operations'][number];

/** Reads a change. Returns `undefined` for a text that no release known to this one has written. */
export function parseChange(text: string): Change | undefined {
  try {
    return change.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Conversations that went from one assignee to another. */
export interface ChangedMove {
  readonly from: Assignee;
  readonly to: Assignee;
  readonly conversationIds: readonly string[];
}

/** An operation or claim, as far as events show it. */
export interface ShownOperation {
  readonly operationId: string;
  readonly request: { readonly kind: OperationKind; readonly texterId?: string };
  readonly state: OperationState;
  readonly receipt: { readonly moved: number } | null;
}

interface ChangedIds {
  readonly gained: string[];
  readonly lost: string[];
}

/** Collects the changes of a campaign. Its size is limited, however much changes. */
export class ChangeDraft {
  private readonly operations = new Map<string, ChangedOperation>();
  private readonly texters = new Map<string, ChangedIds>();
  private readonly many = new Set<Change['many'][number]>();
  private idCount = 0;
  private isAfterGap = false;

  addOperation(added: ChangedOperation): void {
    const known = this.operations.get(added.operationId);
    // The report of a batch can come after the one of the end.
    if (known && isEnded(known.state) && !isEnded(added.state)) return;
    if (known || this.operations.size < OPERATIONS_OF_CHANGE_MAX) this.operations.set(added.operationId, added);
    else this.many.add('operations');
  }

  addMoves(moves: readonly ChangedMove[]): void {
    for (const { from, to, conversationIds } of moves) {
      this.addIds(to, 'gained', conversationIds);
      this.addIds(from, 'lost', conversationIds);
    }
  }

  addGap(): void {
    this.isAfterGap = true;
  }

  toChange(): Change {
    const texters = [...this.texters].map(([texterId, changed]) => ({ texterId, ...changed }));
    const operations = [...this.operations.values()];
    return { operations, texters, many: [...this.many], isAfterGap: this.isAfterGap };
  }

  private addIds(assignee: Assignee, kind: keyof ChangedIds, added: readonly string[]): void {
    if (assignee === null || added.length === 0) return;
    const changed = this.texters.get(assignee) ?? { gained: [], lost: [] };
    if (!this.texters.has(assignee) && this.texters.size >= TEXTERS_OF_CHANGE_MAX) return void this.many.add('texters');
    this.texters.set(assignee, changed);
    this.idCount += added.length;
    if (this.idCount <= IDS_OF_CHANGE_MAX) changed[kind].push(...added);
    else this.omitIds();
  }

  private omitIds(): void {
    this.many.add('conversations');
    for (const [texterId] of this.texters) this.texters.set(texterId, { gained: [], lost: [] });
  }
}

export function shownOperation({ operationId, request, state, receipt }: ShownOperation): ChangedOperation {
  const { kind, texterId } = request;
  return { operationId, kind, state, moved: receipt?.moved ?? 0, ...(texterId !== undefined && { texterId }) };
}
