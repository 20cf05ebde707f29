// Loaded before AVA. Its TAP reporter writes each error as YAML, and dies of one that has an undefined property: the whole run would end, and
// nobody would know which test had failed.
import { createRequire } from 'node:module';

interface YamlWriter {
  safeDump: (value: unknown, options?: object) => string;
}

const yaml = createRequire(import.meta.resolve('supertap'))('js-yaml') as YamlWriter;
const { safeDump } = yaml;
yaml.safeDump = (value, options) => safeDump(value, { ...options, skipInvalid: true });
