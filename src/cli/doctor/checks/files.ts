import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Check, type Examination, type Finding, ok, warn } from '../check.ts';

/** Group and others, any right. */
const NOT_OWNER = 0o077;
/** Group and others, the right to pass through a folder. */
const PASSAGE = 0o011;

/** Whether files with secrets in them are for their owner alone. */
export const files: Check = {
  name: 'files',
  needs: 'settings',
  async run(exam) {
    if (exam.world.uid === undefined) return [];
    const { follow, storage } = exam.settings();
    const { database: stored } = storage;
    const database = stored.kind === 'sqlite' ? stored.path : ':memory:';
    const own = resolve(exam.options.config);
    // A certificate is for everybody to read.
    const referred = exam.config.files.filter(file => file !== own && !holds(file, follow?.ca));
    const findings = [
      ...referred.flatMap(file => tooOpen(file, 'holds a secret')),
      ...(database === ':memory:' ? [] : tooOpen(database, 'holds sealed credentials')),
      ...foreignOwner(database, exam),
    ];
    if (findings.length > 0) return findings;
    return [ok('files', 'secrets and database are readable by their owner alone')];
  },
};

function holds(file: string, text: string | undefined): boolean {
  return text !== undefined && readFileSync(file, 'utf8').trim() === text.trim();
}

function tooOpen(file: string, because: string): readonly Finding[] {
  const [stat, folder] = [statOf(file), statOf(dirname(file))];
  if (stat === undefined || (stat.mode & NOT_OWNER) === 0) return [];
  // Behind a folder that only its owner enters, the file's own mode opens nothing.
  if (folder !== undefined && (folder.mode & PASSAGE) === 0) return [];
  const mode = (stat.mode & 0o777).toString(8).padStart(4, '0');
  return [
    warn(
      'files',
      `${file} ${because} and other users of this machine may open it (${mode})`,
      `chmod 600 ${file}`,
    ),
  ];
}

/** What root may read and write says nothing of what the bridge may. */
function foreignOwner(database: string, { world }: Examination): readonly Finding[] {
  const owner = statOf(database)?.uid;
  if (owner === undefined || owner === world.uid) return [];
  return [
    warn(
      'files',
      `${database} belongs to user ${owner} and this runs as user ${world.uid}`,
      'run this as the user that the bridge runs as: what one may do, the other may not',
    ),
  ];
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
