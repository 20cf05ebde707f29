import type { ResourceDefinition } from './definition.ts';

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const;

export const verbsOf = (definition: ResourceDefinition): readonly string[] => definition.verbs ?? allVerbs;
export const apiVersionOf = (definition: Pick<ResourceDefinition, 'group' | 'version'>): string =>
  (definition.group === '' ? definition.version : `${definition.group}/${definition.version}`);

/** All kinds the server has, by place. Custom resources come and go at run time. */
export class Registry {
  readonly #byPlace = new Map<string, ResourceDefinition>();

  constructor(definitions: readonly ResourceDefinition[]) {
    for (const definition of definitions) this.add(definition);
  }

  add(definition: ResourceDefinition): void {
    this.#byPlace.set(`${definition.group}/${definition.version}/${definition.plural}`, definition);
  }

  remove(definition: ResourceDefinition): void {
    this.#byPlace.delete(`${definition.group}/${definition.version}/${definition.plural}`);
  }

  find(group: string, version: string, plural: string): ResourceDefinition | undefined {
    return this.#byPlace.get(`${group}/${version}/${plural}`);
  }

  findByPlural(group: string, plural: string): ResourceDefinition | undefined {
    return this.all().find((definition) => definition.group === group && definition.plural === plural);
  }

  findByKind(apiVersion: string, kind: string): ResourceDefinition | undefined {
    return this.all().find((definition) => definition.kind === kind && apiVersionOf(definition) === apiVersion);
  }

  all(): ResourceDefinition[] {
    return [...this.#byPlace.values()];
  }

  /** Group -> versions, core first, in order of declaration. */
  groups(): Map<string, string[]> {
    const groups = new Map<string, string[]>();
    for (const { group, version } of this.all()) {
      const versions = groups.get(group) ?? [];
      if (!versions.includes(version)) versions.push(version);
      groups.set(group, versions);
    }
    return groups;
  }
}
