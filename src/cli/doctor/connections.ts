import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** One end of a connection. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** State of a socket that waits for connections, in /proc/net/tcp. */
const LISTENING = '0A';

/**
 * Where a process and its children are connected to over TCP, as Linux tells in /proc (proc_pid_net(5)).
 * Undefined where there is no such place, or the process is gone.
 */
export function connectionsOf(pid: number, proc = '/proc'): readonly Endpoint[] | undefined {
  const sockets = new Set<string>();
  const tables: string[] = [];
  let found = false;
  for (const each of treeOf(pid, proc)) {
    const own = socketsOf(each, proc);
    if (own === undefined) continue;
    found = true;
    for (const inode of own) sockets.add(inode);
    // Each its own table, as a child may be in a network namespace of its own.
    if (own.length > 0) tables.push(`${proc}/${each}/net/tcp`, `${proc}/${each}/net/tcp6`);
  }
  if (!found) return undefined;
  const own = tables.flatMap(rowsOf).filter(({ inode }) => sockets.has(inode));
  // Processes of one namespace have one table, so a connection comes up more than once.
  return [...new Map(own.map(({ name, ends: [, far] }) => [name, far])).values()];
}

/**
 * Both ends of every connection of this machine over TCP, those closed in the last minute included, under
 * a name of the connection. They tell that somebody connected, not who. Empty where there is no such place.
 */
export function traces(proc = '/proc'): ReadonlyMap<string, readonly Endpoint[]> {
  const rows = ['tcp', 'tcp6'].flatMap(table => rowsOf(`${proc}/net/${table}`));
  return new Map(rows.map(({ name, ends }) => [name, ends]));
}

function treeOf(pid: number, proc: string): readonly number[] {
  const tree = [pid];
  for (const parent of tree) {
    for (const task of namesIn(`${proc}/${parent}/task`) ?? []) {
      const children = textOf(`${proc}/${parent}/task/${task}/children`) ?? '';
      for (const child of children.split(' ').filter(text => text !== '')) tree.push(Number(child));
    }
  }
  return tree;
}

function socketsOf(pid: number, proc: string): readonly string[] | undefined {
  return namesIn(`${proc}/${pid}/fd`)?.flatMap(name => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`${proc}/${pid}/fd/${name}`))?.[1];
      return inode === undefined ? [] : [inode];
    } catch {
      return [];
    }
  });
}

interface Row {
  /** Both ends as the kernel writes them, which no other connection has at the time. */
  readonly name: string;
  /** Near and far. */
  readonly ends: readonly [Endpoint, Endpoint];
  readonly inode: string;
}

function rowsOf(table: string): readonly Row[] {
  const lines = textOf(table)?.split('\n').slice(1) ?? [];
  return lines.flatMap(line => {
    const [, near, far, state, ...fields] = line.trim().split(/\s+/);
    if (near === undefined || far === undefined || state === LISTENING) return [];
    return [{ name: `${near} ${far}`, ends: [endOf(near), endOf(far)], inode: fields[5] ?? '' }];
  });
}

function endOf(text: string): Endpoint {
  const [address = '', port = ''] = text.split(':');
  return { address: addressOf(address), port: Number.parseInt(port, 16) };
}

/** The kernel prints each 32-bit word of an address in the machine's byte order, here little-endian. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap(word => [...Buffer.from(word, 'hex').reverse()]);
  const mapped = bytes.length === 16 && bytes.slice(0, 10).every(byte => byte === 0) && bytes[10] === 255;
  if (bytes.length === 4 || mapped) return bytes.slice(-4).join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0)).toString(16),
  );
  return groups.join(':') === '0:0:0:0:0:0:0:1' ? '::1' : groups.join(':');
}

function namesIn(folder: string): readonly string[] | undefined {
  try {
    return readdirSync(folder);
  } catch {
    return undefined;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
