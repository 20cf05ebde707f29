import test from 'ava';
import { agentArguments, ConfigError, fields, flagValue, kebab, parseAgentConfig } from './config.ts';
import type { AgentConfig, AgentConfigInput } from './config.ts';

const given: AgentConfigInput = { kubeconfig: 'k', nodeName: 'node1', nodeIp: ['10.0.0.1', 'fd00::1'], rootDir: '/r', tlsCertFile: 'c', tlsPrivateKeyFile: 'p', clientCaFile: 'a' };

test('what is not given has its default', (t) => {
  const config = parseAgentConfig(given);
  t.is(config.port, 10_250);
  t.deepEqual(config.clusterCidr, ['10.244.0.0/16']);
  t.true(Object.isFrozen(config));
});

test('every wrong flag is named, with what is wrong', (t) => {
  const error = t.throws(() => parseAgentConfig({ ...given, nodeIp: ['x'], port: 70_000, networkMode: 'ipip', dockerHost: 'tcp://1', wrong: 1 }), { instanceOf: ConfigError });
  for (const text of ['--node-ip: "x" is not an IP address', '--port: must be a whole number from 0 to 65535', '--network-mode: "ipip" is none of', '--docker-host:', '--wrong: there is no such flag']) t.true(error.message.includes(text), text);
});

test('flags that mean a configuration give it back', (t) => {
  const config = parseAgentConfig({ ...given, proxy: false, nodeLabels: { a: 'b', c: 'd' }, maxPods: 5, networkMode: 'host-gw' });
  const words = agentArguments(config).flatMap((word) => (word.startsWith('--') && word.includes('=') ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word]));
  const values: Record<string, unknown> = {};
  for (let at = 0; at < words.length; at += 2) {
    const key = (Object.keys(fields) as (keyof AgentConfig)[]).find((name) => `--${kebab(name)}` === words[at])!;
    values[key] = flagValue(fields[key].kind, words[at + 1]!);
  }
  t.deepEqual(parseAgentConfig(values), config);
});
