/** One family of a scrape. */
export interface ScrapedFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Record<string, string>;
    readonly value: number;
  }[];
}

/** A scrape, taken apart. */
export interface Scrape {
  readonly families: ReadonlyMap<string, ScrapedFamily>;
  /** The value of a series, by exactly these labels; undefined when there is none. */
  value(name: string, labels?: Record<string, string>): number | undefined;
  /** All series of a name. */
  series(name: string): ScrapedFamily['samples'];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;

/**
 * Reads Prometheus' text format (0.0.4), taking nothing on trust: order of lines, escapes, numbers,
 * series that come twice, histograms that do not add up, and names that are against the conventions.
 */
export function parseExposition(text: string): Scrape {
  const families = new Map<string, ScrapedFamily>();
  const seen = new Set<string>();
  let name = '';
  let help: string | undefined;
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  for (const [at, line] of text.slice(0, -1).split('\n').entries()) {
    const fail = (why: string): never => {
      throw new Error(`line ${at + 1} ${why}: ${line}`);
    };
    if (line === '') continue;
    if (line.startsWith('# HELP ')) {
      const [, of = '', words = ''] = /^# HELP (\S+) (.+)$/.exec(line) ?? fail('is no HELP line');
      if (!NAME.test(of) || families.has(of)) fail('names a family that is ill-named or came before');
      name = of;
      help = words;
    } else if (line.startsWith('# TYPE ')) {
      const [, of, type = ''] =
        /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line) ?? fail('is no TYPE line');
      if (of !== name || help === undefined) fail('does not follow the HELP line of its family');
      if ((type === 'counter') !== name.endsWith('_total'))
        fail('is a counter without _total, or the reverse');
      families.set(name, { type, help: help ?? '', samples: [] });
      help = undefined;
    } else {
      const [, of = '', labelText = '', valueText = ''] = SAMPLE.exec(line) ?? fail('is no sample');
      const family = families.get(name) ?? fail('comes before its family');
      const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
      if (!suffixes.some(suffix => of === name + suffix)) fail(`is not of the family ${name}`);
      const labels = parseLabels(labelText, fail);
      const key = `${of} ${JSON.stringify(Object.entries(labels).sort())}`;
      if (seen.has(key)) fail('comes twice');
      seen.add(key);
      family.samples.push({ name: of, labels, value: parseValue(valueText, fail) });
    }
  }
  for (const [of, family] of families) checkFamily(of, family);

  const series = (of: string): ScrapedFamily['samples'] => {
    const family = families.get(of) ?? families.get(of.replace(/_(?:bucket|sum|count)$/, ''));
    if (family === undefined) throw new Error(`no family ${of}`);
    return family.samples.filter(sample => sample.name === of);
  };
  return {
    families,
    series,
    value(of, labels = {}) {
      const wanted = JSON.stringify(Object.entries(labels).sort());
      return series(of).find(sample => JSON.stringify(Object.entries(sample.labels).sort()) === wanted)
        ?.value;
    },
  };
}

function parseLabels(text: string, fail: (why: string) => never): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const [, label = '', escaped = ''] = LABEL.exec(text) ?? fail('has labels that cannot be read');
    if (Object.hasOwn(labels, label)) fail(`has the label ${label} twice`);
    if (label.startsWith('__')) fail('has a label that is reserved');
    labels[label] = escaped.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
  }
  return labels;
}

function parseValue(text: string, fail: (why: string) => never): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  if (!/^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text)) fail('has no number');
  return Number(text);
}

function checkFamily(name: string, { type, samples }: ScrapedFamily): void {
  if (/_(?:ms|millis|milliseconds|minutes|hours|kb|mb|percent)(?:_|$)/.test(name))
    throw new Error(`${name} is not in base units`);
  for (const { value, labels } of samples) {
    if (type !== 'gauge' && !(value >= 0 && Number.isFinite(value)))
      throw new Error(`${name}${JSON.stringify(labels)} cannot be ${value}`);
  }
  if (type !== 'histogram') return;
  const groups = Map.groupBy(samples, ({ labels: { le: _, ...rest } }) => JSON.stringify(rest));
  for (const [labels, group] of groups) {
    const buckets = group.filter(each => each.name === `${name}_bucket`);
    const counts = group.filter(each => each.name === `${name}_count`);
    const sums = group.filter(each => each.name === `${name}_sum`);
    const bounds = buckets.map(each => (each.labels['le'] === '+Inf' ? Infinity : Number(each.labels['le'])));
    const ordered = bounds.every((bound, at) => at === 0 || bound > (bounds[at - 1] ?? Infinity));
    const grows = buckets.every((each, at) => at === 0 || each.value >= (buckets[at - 1]?.value ?? Infinity));
    const whole = bounds.at(-1) === Infinity && buckets.at(-1)?.value === counts[0]?.value;
    if (!ordered || !grows || !whole || counts.length !== 1 || sums.length !== 1)
      throw new Error(`the histogram ${name}${labels} does not add up`);
  }
}
