import { writeFileSync } from 'node:fs';
import { environment } from '../src/config.ts';
import { environmentExample } from './environment-example.ts';
import { jobSchemas } from '../src/producer/job-schema.ts';

/** Writes the files that are made from the code; a test fails when they have fallen behind. */
writeFileSync(new URL('../job.schema.json', import.meta.url), `${JSON.stringify(jobSchemas(), null, 2)}\n`);
writeFileSync(new URL('../.env.example', import.meta.url), environmentExample(environment));
