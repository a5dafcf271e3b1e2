import { createHash } from 'node:crypto';

/** A script of Redis, by its text. All its keys are in one slot, so that it runs on a cluster too. */
export interface RedisScript {
  readonly text: string;
  readonly sha1: string;
}

/** Prepares a script. */
export function redisScript(text: string): RedisScript {
  return { text, sha1: createHash('sha1').update(text).digest('hex') };
}

/** The connections to Redis, whatever it is made of. Nothing here waits with a limit: `guard.ts` does. */
export interface RedisLink {
  /** `host:port` of where it is looked for, for messages. */
  readonly name: string;
  /** Whether commands can be sent now. */
  isReady(): boolean;
  /** Why the latest try to connect failed, in the driver's words, which hold no password; undefined if none did. */
  connectFailure(): string | undefined;
  /** Sends a command on one key, which stands in it; rejects when Redis refuses it or is gone. */
  send(key: string, command: readonly string[]): Promise<unknown>;
  /** Runs a script. The keys are in one slot. */
  run(script: RedisScript, keys: readonly [string, ...string[]], values: readonly string[]): Promise<unknown>;
  publish(channel: string, message: string): Promise<void>;
  /**
   * Hears a channel from now on, over every connection that follows. `onGap` is called when messages may
   * have been lost.
   */
  subscribe(channel: string, onMessage: (message: string) => void, onGap: () => void): void;
  /** Calls `listener` whenever a connection for commands is lost, or another server is the primary now. */
  onInterruption(listener: (reason: string) => void): void;
  close(): Promise<void>;
}
