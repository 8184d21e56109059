import { z } from 'zod';

const WHERE = { MONGODB_URI: 'mongodb://127.0.0.1:27017/baton?replicaSet=rs0', REDIS_URL: 'redis://127.0.0.1:6379' };

/** Every variable of an environment schema with what it is for; those with a default are shown with it, commented out. */
export function environmentExample(schema: z.ZodObject): string {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input' });
  const entries = Object.entries(properties).map(([name, property]) => {
    if (typeof property === 'boolean') throw new Error(`expected ${name} to be described, got ${property}`);
    const given = (WHERE as Record<string, string>)[name];
    const line = given === undefined ? `# ${name}=${String(property.default)}` : `${name}=${given}`;
    return `# ${property.description ?? ''}\n${line}\n`;
  });
  return `# What Baton reads from its environment. Commented out: the default.\n\n${entries.join('\n')}`;
}
