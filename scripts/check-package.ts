import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Packs the package as it would be published, installs it in an empty folder with production
 * dependencies only, and uses each of its entry points from there.
 */
const folder = mkdtempSync(join(tmpdir(), 'open-bridge-package-'));
const run = (command: string, args: string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

try {
  run('npm', ['pack', '--silent', '--pack-destination', folder], process.cwd());
  const tarball = readdirSync(folder).find(name => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  const listed = run('tar', ['-tzf', join(folder, tarball)], folder);
  for (const unwanted of [/\.test\./, /fixture/, /^package\/src\//m]) {
    if (unwanted.test(listed)) throw new Error(`the package contains what it should not: ${unwanted}`);
  }
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  run('npm', ['install', '--silent', '--omit=dev', join(folder, tarball)], folder);
  const version = run('npx', ['open-bridge', '--version'], folder).trim();
  const program = `
    import { loadConfig, startBridge, BridgeError } from 'open-bridge';
    import { createClient } from 'open-bridge/client';
    import { startSimulator } from 'open-bridge/simulator';
    const simulator = await startSimulator({ accounts: [{ appid: 'wx1', secret: 's'.repeat(32), type: 'mp' }] });
    const answer = await fetch(simulator.origin + '/cgi-bin/token?grant_type=client_credential&appid=wx1&secret=' + 's'.repeat(32));
    const { access_token: token } = await answer.json();
    await simulator.close();
    if (typeof token !== 'string' || [loadConfig, startBridge, createClient, BridgeError].some(each => typeof each !== 'function')) process.exit(1);
    console.log('entry points work');
  `;
  writeFileSync(join(folder, 'use.js'), program);
  process.stdout.write(`open-bridge ${version}: ${run('node', ['use.js'], folder)}`);
  // The library is asked for by `require` in uniCloud projects, which are CommonJS.
  const commonJs = `
    const { getAccessToken, configureBridge, ProviderType } = require('open-bridge/common');
    configureBridge({ url: 'http://127.0.0.1:9', timeoutMs: 1000 });
    getAccessToken({ dcloudAppid: '__UNI__X', platform: ProviderType.WEIXIN_MP }).catch(error => {
      if (error.reason !== 'BRIDGE_UNREACHABLE') process.exit(1);
      console.log('require works');
    });
  `;
  writeFileSync(join(folder, 'use.cjs'), commonJs);
  process.stdout.write(`open-bridge/common: ${run('node', ['use.cjs'], folder)}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
