import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';

/** Builds `dist`, the published form: JavaScript with type declarations, made from `src` alone. */
rmSync('dist', { recursive: true, force: true });
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
chmodSync('dist/cli/main.js', 0o755);
