import type { IncompleteCampaign } from '../../conversations/index.ts';
import { ok, warn, type Check } from './check.ts';

const CAMPAIGNS_SHOWN_MAX = 5;

/** What other programs have left incomplete, and the conversations that no texter of the campaign has. */
export function documentChecks(campaigns: readonly IncompleteCampaign[]): Check[] {
  const check = (
    field: 'incomplete' | 'texters' | 'withoutTexter',
    name: string,
    what: string,
    todo: string,
  ): Check => {
    const found = campaigns.filter((campaign) => campaign[field] > 0);
    const listed = found.slice(0, CAMPAIGNS_SHOWN_MAX).map((each) => `${each[field]} in campaign ${each.campaignId}`);
    const more = found.length > listed.length ? `, and in ${found.length - listed.length} more campaigns` : '';
    return found.length === 0 ? ok(name, `none ${what}`) : warn(name, `${what}: ${listed.join(', ')}${more}`, todo);
  };
  return [
    check(
      'incomplete',
      'conversations',
      'incomplete',
      'operations skip them; complete them with `baton repair CAMPAIGN`',
    ),
    check('texters', 'texters', 'incomplete', 'they count as paused; complete them with `baton repair CAMPAIGN`'),
    check(
      'withoutTexter',
      'assignees',
      'not on the campaign',
      '`baton senders CAMPAIGN` names them; release their conversations with `baton unassign CAMPAIGN --from ID`',
    ),
  ];
}
