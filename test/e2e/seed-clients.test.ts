import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/bridge.ts';
import { inNamespace, skipUnless, works } from '../support/namespace.ts';

const run = promisify(execFile);
const STAGE = fileURLToPath(new URL('./seed-clients-stage.ts', import.meta.url));

const URL_OF_SEED = 'http://api.weixin.qq.com/wxa/getwxadevinfo';
const BODY_OF_SEED = JSON.stringify({ openid: 'o-user', version: 2, scene: 2, content: '安全检测文本' });

/** Each client as the documentation prints it: the platform's own address, and no token. */
const CLIENTS: Record<string, { get: string[]; post: string[] }> = {
  curl: {
    get: ['curl', '-sS', '-D', '-', URL_OF_SEED],
    post: ['curl', '-sS', '-D', '-', '-d', BODY_OF_SEED, 'http://api.weixin.qq.com/wxa/msg_sec_check'],
  },
  'Node fetch': {
    get: [process.execPath, '-e', nodeScript(`fetch('${URL_OF_SEED}')`)],
    post: [
      process.execPath,
      '-e',
      nodeScript(
        `fetch('http://api.weixin.qq.com/wxa/msg_sec_check', { method: 'POST', body: ${JSON.stringify(BODY_OF_SEED)} })`,
      ),
    ],
  },
  'Python requests': {
    get: ['python3', '-c', pythonScript(`requests.get('${URL_OF_SEED}')`)],
    post: [
      'python3',
      '-c',
      pythonScript(
        `requests.post('http://api.weixin.qq.com/wxa/msg_sec_check', data=${JSON.stringify(BODY_OF_SEED)}.encode())`,
      ),
    ],
  },
};

function nodeScript(call: string): string {
  return `const r = await ${call}; console.log('x-openapi-seqid: ' + r.headers.get('x-openapi-seqid') + '\\n'); console.log(await r.text())`;
}

function pythonScript(call: string): string {
  return `import requests\nr = ${call}\nprint('x-openapi-seqid: ' + r.headers['x-openapi-seqid'] + '\\n')\nprint(r.text)`;
}

const folder = temporaryFolder();
const hosts = join(folder.path, 'hosts');
writeFileSync(hosts, '127.0.0.1 localhost api.weixin.qq.com\n');
const namespace = inNamespace(hosts);
const skipped =
  skipUnless(namespace !== undefined, 'a network namespace (Linux, util-linux, iproute2)') ||
  skipUnless(works('curl', '--version'), 'curl') ||
  skipUnless(works('python3', '-c', 'import requests'), 'Python with requests');

afterAll(() => folder[Symbol.dispose]());

describe.skipIf(skipped)('the documented calls, with api.weixin.qq.com resolved to this machine', () => {
  let outputs: Record<string, { get: string; post: string }>;

  beforeAll(async () => {
    const [command = '', ...rest] = namespace ?? [];
    const { stdout } = await run(command, [...rest, process.execPath, STAGE, JSON.stringify(CLIENTS)], {
      timeout: 60_000,
    });
    outputs = JSON.parse(stdout);
  }, 70_000);

  it.each(Object.keys(CLIENTS))('%s gets the answer of the platform and an x-openapi-seqid', client => {
    for (const output of [outputs[client]?.get, outputs[client]?.post]) {
      const [head = '', body = ''] = (output ?? '').replaceAll('\r', '').split('\n\n');
      expect(head).toMatch(/x-openapi-seqid: \S{10,}/i);
      expect(JSON.parse(body)).toMatchObject({ errcode: 0 });
    }
    expect(JSON.parse(outputs[client]?.post.replaceAll('\r', '').split('\n\n')[1] ?? '')).toHaveProperty(
      'result.suggest',
    );
  });
});
