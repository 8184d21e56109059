import { addHealthRoutes } from './health.ts';
import { addCampaignRoutes } from './campaigns.ts';
import type { App } from '../app-type.ts';
import type { HttpServices } from '../services.ts';

/** One file for each family of routes. The document lists the families in this order. */
export const ROUTES: readonly ((app: App, services: HttpServices) => void)[] = [addCampaignRoutes, addHealthRoutes];
