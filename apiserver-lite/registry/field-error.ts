/** What is wrong with one field, in the vocabulary of Kubernetes' `Status.details.causes`. */
export type FieldErrorType =
  | 'Required' | 'Invalid' | 'NotSupported' | 'Duplicate' | 'Forbidden' | 'NotFound' | 'TooLong' | 'TooMany' | 'TypeInvalid' | 'Internal';

export type FieldError = Readonly<{
  type: FieldErrorType;
  /** Dotted path with indices, as users write it: `spec.ports[0].port`. */
  field: string;
  /** What is wrong, without the field's name; for NotSupported the sentence `supported values: "A", "B"`. */
  detail: string;
  /** The value found; shown to the user. Absent for Required, Forbidden and Internal. */
  badValue?: unknown;
}>;

export const required = (field: string, detail = ''): FieldError => ({ type: 'Required', field, detail });
export const invalid = (field: string, badValue: unknown, detail: string): FieldError => ({ type: 'Invalid', field, badValue, detail });
/** One error for each sentence of a rule of `conventions/names.ts`. */
export const invalidEach = (field: string, badValue: unknown, faults: readonly string[]): FieldError[] => faults.map((fault) => invalid(field, badValue, fault));
export const forbidden = (field: string, detail: string): FieldError => ({ type: 'Forbidden', field, detail });
export const duplicate = (field: string, badValue: unknown): FieldError => ({ type: 'Duplicate', field, badValue, detail: '' });
export const tooLong = (field: string, badValue: unknown, maxLength: number): FieldError =>
  ({ type: 'TooLong', field, badValue, detail: `may not be more than ${maxLength} bytes` });
export const tooMany = (field: string, badValue: number, maxItems: number): FieldError =>
  ({ type: 'TooMany', field, badValue, detail: `must have at most ${maxItems} items` });
export const notFound = (field: string, badValue: unknown): FieldError => ({ type: 'NotFound', field, badValue, detail: '' });
export const notSupported = (field: string, badValue: unknown, supported: readonly string[]): FieldError =>
  ({ type: 'NotSupported', field, badValue, detail: `supported values: ${[...supported].sort().map((value) => JSON.stringify(value)).join(', ')}` });
export const typeInvalid = (field: string, badValue: unknown, detail: string): FieldError => ({ type: 'TypeInvalid', field, badValue, detail });

const words: Readonly<Record<FieldErrorType, string>> = {
  Required: 'Required value', Invalid: 'Invalid value', NotSupported: 'Unsupported value', Duplicate: 'Duplicate value', Forbidden: 'Forbidden',
  NotFound: 'Not found', TooLong: 'Too long', TooMany: 'Too many', TypeInvalid: 'Invalid value', Internal: 'Internal error',
};

/** The `reason` of a Status cause. */
export const causeReason = (type: FieldErrorType): string => `FieldValue${type}`;

const shownValue = (value: unknown): string => {
  if (value === undefined || value === null) return 'null';
  return JSON.stringify(value);
};

/** `Invalid value: "x": must be ...`, the text after the field's name. */
export function fieldErrorBody(error: FieldError): string {
  const word = words[error.type];
  const bare = error.type === 'Required' || error.type === 'Forbidden' || error.type === 'Internal' || error.type === 'TooLong';
  const value = bare ? word : `${word}: ${shownValue(error.badValue)}`;
  return error.detail === '' ? value : `${value}: ${error.detail}`;
}

/** The whole line as kubectl prints it: `spec.replicas: Invalid value: -1: must be greater than or equal to 0`. */
export const fieldErrorText = (error: FieldError): string => `${error.field}: ${fieldErrorBody(error)}`;
