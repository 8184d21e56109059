import { addCampaignRoutes } from './campaigns.ts';
import { addClaimRoutes } from './claims.ts';
import { addConversationExportRoutes } from './conversation-export.ts';
import { addConversationImportRoutes } from './conversation-imports.ts';
import { addConversationRoutes } from './conversations.ts';
import { addEventRoutes } from './events.ts';
import { addHealthRoutes } from './health.ts';
import { addMeRoutes } from './me.ts';
import { addMeOperationRoutes } from './me-operations.ts';
import { addOperationChangeRoutes } from './operation-changes.ts';
import { addOperationRoutes } from './operations.ts';
import { addTexterRoutes } from './texters.ts';
import { addTokenRoutes } from './tokens.ts';
import type { App } from '../app-type.ts';
import type { HttpServices } from '../services.ts';

/** One file for each family of routes. The document lists the families in this order. */
export const ROUTES: readonly ((app: App, services: HttpServices) => void | Promise<void>)[] = [
  addCampaignRoutes,
  addTexterRoutes,
  addOperationRoutes,
  addOperationChangeRoutes,
  addClaimRoutes,
  addConversationRoutes,
  addConversationImportRoutes,
  addConversationExportRoutes,
  addEventRoutes,
  addTokenRoutes,
  addMeRoutes,
  addMeOperationRoutes,
  addHealthRoutes,
];
