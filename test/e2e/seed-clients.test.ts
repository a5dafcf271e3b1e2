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
const AXIOS = import.meta.resolve('axios');
const BODY = JSON.stringify({ openid: 'o-user', version: 2, scene: 2, content: '安全检测文本' });

const folder = temporaryFolder();
const hosts = join(folder.path, 'hosts');
writeFileSync(hosts, '127.0.0.1 localhost api.weixin.qq.com\n');
const java = join(folder.path, 'Call.java');
writeFileSync(
  java,
  `import java.net.URI;
import java.net.http.*;
public class Call {
  public static void main(String[] args) throws Exception {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[0]));
    if (args.length > 1) request.POST(HttpRequest.BodyPublishers.ofString(args[1]));
    HttpResponse<String> response = HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    System.out.println("x-openapi-seqid: " + response.headers().firstValue("x-openapi-seqid").orElse("") + "\\n");
    System.out.println(response.body());
  }
}
`,
);

const node = (script: string): string[] => [process.execPath, '--input-type=module', '-e', script];
const show = (seqid: string, body: string): string =>
  `console.log('x-openapi-seqid: ' + ${seqid} + '\\n'); console.log(${body});`;
const python = (call: string): string[] => [
  'python3',
  '-c',
  `import requests\nr = ${call}\nprint('x-openapi-seqid: ' + r.headers['x-openapi-seqid'] + '\\n')\nprint(r.text)`,
];

/** Each client as the documentation prints it: the platform's own address, and no token. */
const CLIENTS: Record<string, { get: (url: string) => string[]; post: (url: string) => string[] }> = {
  curl: {
    get: url => ['curl', '-sS', '-D', '-', url],
    post: url => ['curl', '-sS', '-D', '-', '-d', BODY, url],
  },
  'Node, callbacks as request has them': {
    get: url =>
      node(
        `import http from 'node:http'; import https from 'node:https'; (${JSON.stringify(url)}.startsWith('https') ? https : http).get('${url}', r => { let text = ''; r.on('data', c => (text += c)); r.on('end', () => { ${show("r.headers['x-openapi-seqid']", 'text')} }); });`,
      ),
    post: url =>
      node(
        `import http from 'node:http'; import https from 'node:https'; const q = (${JSON.stringify(url)}.startsWith('https') ? https : http).request('${url}', { method: 'POST' }, r => { let text = ''; r.on('data', c => (text += c)); r.on('end', () => { ${show("r.headers['x-openapi-seqid']", 'text')} }); }); q.end(${JSON.stringify(BODY)});`,
      ),
  },
  'Node fetch': {
    get: url =>
      node(`const r = await fetch('${url}'); ${show("r.headers.get('x-openapi-seqid')", 'await r.text()')}`),
    post: url =>
      node(
        `const r = await fetch('${url}', { method: 'POST', body: ${JSON.stringify(BODY)} }); ${show("r.headers.get('x-openapi-seqid')", 'await r.text()')}`,
      ),
  },
  axios: {
    get: url =>
      node(
        `import axios from '${AXIOS}'; const r = await axios.get('${url}'); ${show("r.headers['x-openapi-seqid']", 'JSON.stringify(r.data)')}`,
      ),
    post: url =>
      node(
        `import axios from '${AXIOS}'; const r = await axios.post('${url}', ${BODY}); ${show("r.headers['x-openapi-seqid']", 'JSON.stringify(r.data)')}`,
      ),
  },
  'Python requests': {
    get: url => python(`requests.get('${url}')`),
    post: url => python(`requests.post('${url}', data=${JSON.stringify(BODY)}.encode())`),
  },
  'Java HttpClient': {
    get: url => ['java', java, url],
    post: url => ['java', java, url, BODY],
  },
};

const namespace = inNamespace(hosts);
const skipped =
  skipUnless(namespace !== undefined, 'a network namespace (Linux, util-linux, iproute2)') ||
  skipUnless(works('curl', '--version'), 'curl');
const absent = new Set<string>();
if (skipUnless(works('python3', '-c', 'import requests'), 'Python with requests'))
  absent.add('Python requests');
if (skipUnless(works('javac', '--version'), 'a JDK of version 11 or later')) absent.add('Java HttpClient');
const present = Object.keys(CLIENTS).filter(name => !absent.has(name));

afterAll(() => folder[Symbol.dispose]());

describe.skipIf(skipped)('the documented calls, with api.weixin.qq.com resolved to this machine', () => {
  let outputs: Record<string, Record<string, string>>;

  beforeAll(async () => {
    const commands = Object.fromEntries(
      present.map(name => [
        name,
        Object.fromEntries(
          ['http', 'https'].flatMap(scheme => [
            [`${scheme} get`, CLIENTS[name]?.get(`${scheme}://api.weixin.qq.com/wxa/getwxadevinfo`)],
            [`${scheme} post`, CLIENTS[name]?.post(`${scheme}://api.weixin.qq.com/wxa/msg_sec_check`)],
          ]),
        ),
      ]),
    );
    const [command = '', ...rest] = namespace ?? [];
    const { stdout } = await run(command, [...rest, process.execPath, STAGE, JSON.stringify(commands)], {
      timeout: 110_000,
    });
    outputs = JSON.parse(stdout);
  }, 120_000);

  describe.each(present)('%s', client => {
    it.each(['http', 'https'])("over %s gets the platform's answer and an x-openapi-seqid", scheme => {
      for (const call of ['get', 'post']) {
        const output = outputs[client]?.[`${scheme} ${call}`] ?? '';
        const [head = '', body = ''] = output.replaceAll('\r', '').split('\n\n');
        expect(head).toMatch(/x-openapi-seqid: [0-9a-f]{8}-[0-9a-f]{16}/i);
        expect(JSON.parse(body)).toMatchObject(call === 'get' ? { errcode: 0 } : { errcode: 0, result: {} });
      }
    });
  });
});
