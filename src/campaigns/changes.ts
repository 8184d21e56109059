import type { ChangeKind } from '../access/index.ts';
import { organisationOf } from '../domain/organisations.ts';

/** Describes a change of a campaign or of its texters for the record. */
export function changeOf(
  kind: ChangeKind,
  campaignId: string,
  subjectIds: readonly string[] = [],
  values: Readonly<Record<string, unknown>> = {},
) {
  return { organisationId: organisationOf(campaignId), campaignId, kind, subjectIds, values };
}
