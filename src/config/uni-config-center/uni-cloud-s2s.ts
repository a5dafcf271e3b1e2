import { asObject, type CenterFile, type Findings, located } from './files.ts';

/** The settings of `uni-cloud-s2s/config.json` that our own `s2s` has too, under the same names. */
const KNOWN = ['type', 'connectCode', 'signKey', 'hashMethod', 'timeDiffTolerance', 'quirks'];

/** Which of them mean something with each type. */
const IDLE: Readonly<Record<string, readonly string[]>> = {
  connectCode: ['signKey', 'hashMethod', 'timeDiffTolerance', 'quirks'],
  sign: ['connectCode'],
};

/** Takes `uni-cloud-s2s/config.json` as our `s2s`, unchecked; undefined when it is no object. */
export function s2sOfUniCloud(
  file: CenterFile,
  findings: Findings,
): Readonly<Record<string, unknown>> | undefined {
  const value = asObject(file.value);
  if (value === undefined) {
    findings.faults.push(located({ file, path: [] }, 'must be an object'));
    return undefined;
  }
  const idle = IDLE[String(value['type'])] ?? [];
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => {
      if (KNOWN.includes(name) && !idle.includes(name)) return true;
      findings.notes.push(located({ file, path: [name] }, 'not used'));
      return false;
    }),
  );
}
