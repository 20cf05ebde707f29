// The agent's container spec in Docker's words. Pure.
import type Docker from 'dockerode';
import type { ContainerSpec } from './runtime.ts';

/** The body of POST /containers/create. */
export function dockerCreateBody(spec: ContainerSpec): Docker.ContainerCreateOptions {
  const join = (mode: string | { readonly container: string }): string => (typeof mode === 'string' ? mode : `container:${mode.container}`);
  const resources = spec.resources ?? {};
  const securityOpt = [
    ...(spec.noNewPrivileges === true ? ['no-new-privileges'] : []),
    ...(spec.privileged !== true && spec.seccomp !== 'default' ? ['seccomp=unconfined'] : []),
  ];
  return {
    name: spec.name,
    Image: spec.image,
    Labels: { ...spec.labels },
    Env: [...spec.env],
    Tty: spec.tty,
    OpenStdin: spec.stdin,
    StdinOnce: spec.stdinOnce,
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(spec.command === undefined ? {} : { Entrypoint: [...spec.command] }),
    ...(spec.args === undefined ? {} : { Cmd: [...spec.args] }),
    ...(spec.workingDir === undefined ? {} : { WorkingDir: spec.workingDir }),
    // Docker refuses a hostname for a container that joins another's network namespace.
    ...(spec.hostname === undefined || typeof spec.network !== 'string' ? {} : { Hostname: spec.hostname }),
    ...(spec.user === undefined ? {} : { User: spec.user }),
    HostConfig: {
      NetworkMode: join(spec.network),
      IpcMode: join(spec.ipc),
      ...(spec.pid === 'private' ? {} : { PidMode: join(spec.pid) }),
      Mounts: spec.mounts.map((mount) => ({
        Type: 'bind' as const, Source: mount.hostPath, Target: mount.containerPath, ReadOnly: mount.readOnly,
        BindOptions: { Propagation: mount.propagation ?? 'rprivate' },
      })),
      ...(spec.devices === undefined ? {} : { Devices: spec.devices.map((path) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rwm' })) }),
      ...(spec.groups === undefined ? {} : { GroupAdd: [...spec.groups] }),
      ...(spec.capAdd === undefined ? {} : { CapAdd: [...spec.capAdd] }),
      ...(spec.capDrop === undefined ? {} : { CapDrop: [...spec.capDrop] }),
      ...(spec.privileged === true ? { Privileged: true } : {}),
      ...(securityOpt.length === 0 ? {} : { SecurityOpt: securityOpt }),
      ...(spec.readOnlyRootFilesystem === true ? { ReadonlyRootfs: true } : {}),
      ...(spec.sysctls === undefined ? {} : { Sysctls: { ...spec.sysctls } }),
      ...(spec.shmSizeBytes === undefined ? {} : { ShmSize: spec.shmSizeBytes }),
      ...(spec.oomScoreAdj === undefined ? {} : { OomScoreAdj: spec.oomScoreAdj }),
      ...(resources.memoryBytes === undefined ? {} : { Memory: resources.memoryBytes, MemorySwap: resources.memoryBytes }),
      ...(resources.cpuShares === undefined ? {} : { CpuShares: resources.cpuShares }),
      ...(resources.cpuQuotaUs === undefined ? {} : { CpuQuota: resources.cpuQuotaUs, CpuPeriod: resources.cpuPeriodUs ?? 100_000 }),
      RestartPolicy: { Name: '' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    },
  };
}
