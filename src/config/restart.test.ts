import { expect, test } from 'vitest';
import { checkConfig } from './load.ts';
import { restartNeeded } from './restart.ts';
import type { Settings } from './settings.ts';

const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64');

function settings(config: object): Settings {
  const text = JSON.stringify({ storage: { sealKey: key(1) }, ...config });
  const check = checkConfig({ path: '/open-bridge.json', env: {}, readFile: () => text });
  if (check.settings === undefined) throw new TypeError(JSON.stringify(check.faults));
  return check.settings;
}

test.each([
  ['nothing', {}, []],
  [
    'what is read anew at every call',
    {
      log: { level: 'debug' },
      gateway: { timeoutMs: 1 },
      openapi: { enabled: false },
      metrics: { public: true, maxApps: 5 },
      shutdown: { drainMs: 1, timeoutMs: 1 },
    },
    [],
  ],
  [
    'how uni-open-bridge answers and who may call it',
    {
      uniOpenBridge: { errors: 'uniCloud' },
      ipWhiteList: ['10.0.0.1'],
      s2s: { type: 'connectCode', connectCode: 'connect-code-0123456789' },
    },
    [],
  ],
  ['where uni-open-bridge is', { uniOpenBridge: { prefix: '/bridge' } }, ['uniOpenBridge.prefix']],
  ['another upstream', { upstream: { weixin: 'http://127.0.0.1:1' } }, []],
  ['another seal key', { storage: { sealKey: key(2) } }, []],
  ['one more seal key', { storage: { sealKey: [key(1), key(2)] } }, []],
  ['the database', { storage: { sealKey: key(1), database: 'sqlite:data/x' } }, ['storage.database']],
  [
    'the database, and with it the place of the certificate',
    { storage: { sealKey: key(1), database: 'sqlite:x' } },
    ['storage.database', 'gateway.certificateFile'],
  ],
  [
    'the server of the database',
    { storage: { sealKey: key(1), database: 'postgres://u:p@h/d' } },
    ['storage.database', 'gateway.certificateFile'],
  ],
  ['the certificate file', { gateway: { certificateFile: 'ca.crt' } }, ['gateway.certificateFile']],
  ['the key format', { storage: { sealKey: key(1), keyFormat: 'appid' } }, ['storage.keyFormat']],
  [
    'all addresses',
    { listen: { control: '127.0.0.1:1', gateway: null, gatewayTls: null } },
    ['listen.control', 'listen.gateway', 'listen.gatewayTls'],
  ],
  ['the connections', { gateway: { connectionsPerOrigin: 3 } }, ['gateway.connectionsPerOrigin']],
])('%s', (_, after, names) => {
  expect(restartNeeded(settings({}), settings(after))).toEqual(names);
});
