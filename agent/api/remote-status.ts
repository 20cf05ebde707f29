// How a command in a container ended, in the form that kubectl turns into its own exit code. Pure.

export function exitStatus(exitCode: number): object {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {}, status: 'Failure', reason: 'NonZeroExitCode', message: `command terminated with non-zero exit code: error executing command, exit code ${exitCode}`,
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

export function failureStatus(message: string): object {
  return { metadata: {}, status: 'Failure', reason: 'InternalError', message, code: 500 };
}
