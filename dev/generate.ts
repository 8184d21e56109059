import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { environment, readConfig } from '../src/config.ts';
import { buildApp } from '../src/http/app.ts';
import type { HttpServices } from '../src/http/services.ts';
import { jobSchemas } from '../src/producer/job-schema.ts';
import { createLogger } from '../src/telemetry/index.ts';

/** The files that `npm run generate` writes, by their path from the root. A test fails when one is out of date. */
export async function generatedFiles(): Promise<Readonly<Record<string, string>>> {
  return {
    'job.schema.json': `${JSON.stringify(jobSchemas(), null, 2)}\n`,
    'openapi.json': `${JSON.stringify(await openApiDocument(), null, 2)}\n`,
    '.env.example': environmentExample(environment),
  };
}

/** Example values of the variables that have no default. */
const ADDRESSES: Readonly<Record<string, string>> = {
  MONGODB_URI: 'mongodb://127.0.0.1:27017/baton?replicaSet=rs0',
  REDIS_URL: 'redis://127.0.0.1:6379',
};

/** The document of the HTTP API. Routes use their services only when they answer a request, so the server needs none here. */
async function openApiDocument(): Promise<object> {
  const config = readConfig(ADDRESSES);
  const app = await buildApp({ config, logger: createLogger({ level: 'silent' }) } as HttpServices);
  return app.swagger();
}

/** Lists every variable of the schema with its description. Variables with a default are commented out. */
function environmentExample(schema: z.ZodObject): string {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input' });
  const entries = Object.entries(properties).map(([name, property]) => {
    if (typeof property === 'boolean') throw new Error(`variable ${name} has no description`);
    const address = ADDRESSES[name];
    const line = address === undefined ? `# ${name}=${String(property.default)}` : `${name}=${address}`;
    return `# ${property.description ?? ''}\n${line}\n`;
  });
  return `# The environment variables of Baton. A line that is commented out shows the default.\n\n${entries.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of Object.entries(await generatedFiles())) {
    writeFileSync(new URL(`../${path}`, import.meta.url), text);
  }
}
