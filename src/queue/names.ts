/** Claims have a queue of their own, so that they never wait behind bulk operations. */
export const OPERATIONS_QUEUE = 'operations';
export const CLAIMS_QUEUE = 'claims';
export const PREVIEWS_QUEUE = 'previews';
/** Requests to cancel. Bulk operations can occupy every worker of their own queue, so these have another. */
export const CONTROLS_QUEUE = 'controls';
export const RECONCILE_QUEUE = 'reconcile';

export const QUEUE_NAMES = [OPERATIONS_QUEUE, CLAIMS_QUEUE, PREVIEWS_QUEUE, CONTROLS_QUEUE, RECONCILE_QUEUE] as const;
