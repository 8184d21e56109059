import type { Handler } from '../front.js';

export const EXPLAIN_COMMANDS: Record<string, Handler> = {};
