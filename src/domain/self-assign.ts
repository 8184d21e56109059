/** A campaign's rules for claims. */
export interface SelfAssignSettings {
  readonly enabled: boolean;
  /** The largest number of conversations that one claim gets. */
  readonly batchMax: number;
  /** The largest number of not-started conversations that a texter has after a claim. */
  readonly openMax: number;
  /** A texter with more needs-reply conversations than this gets no new ones. `null` switches the rule off. */
  readonly repliesMax: number | null;
}

/** The largest `batchMax` that a campaign can have. */
export const SELF_ASSIGN_BATCH_MAX = 5_000;

export const SELF_ASSIGN_DEFAULT: SelfAssignSettings = {
  enabled: false,
  batchMax: 300,
  openMax: 300,
  repliesMax: null,
};
