import type { AllocationContext } from '../registry/definition.ts';
import { invalid } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';
import { nodePortClaim } from './claim-keys.ts';
import { pickFree } from './pick.ts';
import type { Random } from './pick.ts';
import { mayHaveNodePorts, needsHealthCheckPort, needsNodePorts } from './service-input.ts';
import type { ServiceInput, ServiceSpecInput } from './service-input.ts';

type Context = AllocationContext<ServiceInput>;

/** Node ports of the Service's ports and its health check port. Ports asked for come first, so that no random choice takes them. */
export function allocateNodePorts(spec: ServiceSpecInput, context: Context, random: Random): FieldError[] {
  const errors: FieldError[] = [];
  const ports = spec.ports ?? [];
  if (mayHaveNodePorts(spec)) {
    ports.forEach((port, index) => {
      if ((port.nodePort ?? 0) !== 0) errors.push(...takeNamed(`spec.ports[${index}].nodePort`, port.nodePort ?? 0, context));
    });
    if (needsNodePorts(spec)) errors.push(...fillPorts(spec, context, random));
  }
  if (needsHealthCheckPort(spec)) {
    const asked = spec.healthCheckNodePort ?? 0;
    if (asked !== 0) errors.push(...takeNamed('spec.healthCheckNodePort', asked, context));
    else {
      const port = takeAny(context, random);
      if (port === undefined) errors.push(full('spec.healthCheckNodePort'));
      else spec.healthCheckNodePort = port;
    }
  }
  return errors;
}

/** The same port over TCP and UDP gets the same node port: clients expect one number. */
function fillPorts(spec: ServiceSpecInput, context: Context, random: Random): FieldError[] {
  const byPort = new Map<number | undefined, { protocol: string; nodePort: number }[]>();
  const remember = (port: { port?: number | undefined; protocol?: string | undefined; nodePort?: number | undefined }): void => {
    if ((port.nodePort ?? 0) === 0) return;
    const list = byPort.get(port.port) ?? [];
    list.push({ protocol: port.protocol ?? 'TCP', nodePort: port.nodePort ?? 0 });
    byPort.set(port.port, list);
  };
  spec.ports?.forEach(remember);
  for (const [index, port] of (spec.ports ?? []).entries()) {
    if ((port.nodePort ?? 0) !== 0) continue;
    const protocol = port.protocol ?? 'TCP';
    const siblings = byPort.get(port.port) ?? [];
    const shared = siblings.find(({ nodePort }) => !siblings.some((other) => other.nodePort === nodePort && other.protocol === protocol));
    const nodePort = shared?.nodePort ?? takeAny(context, random);
    if (nodePort === undefined) return [full(`spec.ports[${index}].nodePort`)];
    port.nodePort = nodePort;
    remember(port);
  }
  return [];
}

function takeNamed(field: string, port: number, { claims, settings, old }: Context): FieldError[] {
  const { from, to } = settings.serviceNodePortRange;
  if ((port < from || port > to) && !held(port, old)) {
    return [invalid(field, port, `provided port is not in the valid range. The range of valid ports is ${from}-${to}`)];
  }
  return claims.take(nodePortClaim(port)) ? [] : [invalid(field, port, 'provided port is already allocated')];
}

function held(port: number, old: ServiceInput | undefined): boolean {
  return old?.spec?.ports?.some((other) => other.nodePort === port) === true || old?.spec?.healthCheckNodePort === port;
}

function takeAny({ claims, settings }: Context, random: Random): number | undefined {
  const { from, to } = settings.serviceNodePortRange;
  const position = pickFree(to - from + 1, random, (offset) => {
    const key = nodePortClaim(from + offset);
    return claims.owner(key) === undefined && claims.take(key);
  });
  return position === undefined ? undefined : from + position;
}

function full(field: string): FieldError {
  return { type: 'Internal', field, detail: 'failed to allocate a nodePort: range is full' };
}
