import type { LimitRange } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { invalid } from '../registry/field-error.ts';
import { createdAtColumn, nameColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { checkQuantities } from './common/resources-validation.ts';

export const limitRange = defineResource<Loose<LimitRange>>({
  group: '', version: 'v1', kind: 'LimitRange', plural: 'limitranges', singular: 'limitrange', shortNames: ['limits'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.LimitRange',
  columns: [nameColumn, createdAtColumn],
  hasGeneration: false,
  defaults: ({ spec }) => {
    for (const limit of spec?.limits ?? []) {
      if (limit.type !== 'Container') continue;
      limit.default = { ...limit.max, ...limit.default };
      limit.defaultRequest = { ...limit.min, ...limit.default, ...limit.defaultRequest };
    }
  },
  validate: ({ spec }) => {
    const faults = new Faults();
    const limits = spec?.limits ?? [];
    faults.unique((index) => `spec.limits[${index}].type`, limits, (limit) => limit.type);
    limits.forEach((limit, index) => {
      const at = `spec.limits[${index}]`;
      faults.required(`${at}.type`, limit.type);
      const max = checkQuantities(faults, `${at}.max`, limit.max);
      for (const key of ['min', 'default', 'defaultRequest'] as const) {
        for (const [name, value] of checkQuantities(faults, `${at}.${key}`, limit[key])) {
          const most = max.get(name);
          if (most !== undefined && value > most) faults.add(invalid(`${at}.${key}[${name}]`, limit[key]?.[name], `${key} value ${String(limit[key]?.[name])} is greater than max value ${String(limit.max?.[name])}`));
        }
      }
    });
    return faults.list;
  },
});
