import type { Site } from './sites.ts';

/** One path of the platform, as the official pages describe it. */
export interface CatalogEntry {
  path: string;
  method: 'GET' | 'POST';
  name_zh: string;
  name_en: string;
  category: string;
  /** Account types that may call it. */
  accounts: string[];
  /** The credential it demands. */
  auth: 'none' | 'access_token' | 'component' | 'code';
  encrypt?: boolean;
  note?: string;
}

/** A path together with the host it is served from. */
export interface PathEntry extends CatalogEntry {
  site: Site;
}
