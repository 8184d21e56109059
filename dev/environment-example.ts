import { z } from 'zod';

const WHERE = { MONGODB_URI: 'mongodb://127.0.0.1:27017/baton?replicaSet=rs0', REDIS_URL: 'redis://127.0.0.1:6379' };

/** Returns a file with every variable of the schema and its description. Variables with a default are commented out. */
export function environmentExample(schema: z.ZodObject): string {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input' });
  const entries = Object.entries(properties).map(([name, property]) => {
    if (typeof property === 'boolean') throw new Error(`${name} has no description`);
    const given = (WHERE as Record<string, string>)[name];
    const line = given === undefined ? `# ${name}=${String(property.default)}` : `${name}=${given}`;
    return `# ${property.description ?? ''}\n${line}\n`;
  });
  return `# The environment variables that Baton reads. A line that is commented out shows the default.\n\n${entries.join('\n')}`;
}
