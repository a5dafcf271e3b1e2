import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../base/clock.ts';
import type { HttpListener } from '../gateway/listener.ts';

/**
 * How the control server ends, as the gateway's listeners do: callers are told that their connections end,
 * and what is under way is answered. To be made before it listens.
 */
export function createControlEnding(
  control: FastifyInstance,
  clock: Clock,
): Pick<HttpListener, 'drain' | 'close'> {
  const { server } = control;
  const underWay = new Set<ServerResponse>();
  let draining = false;

  server.prependListener('request', (_request, response: ServerResponse) => {
    underWay.add(response);
    response.once('close', () => underWay.delete(response));
    if (draining) endsWith(response);
  });

  const drain = (): void => {
    draining = true;
    for (const response of underWay) endsWith(response);
  };

  return {
    drain,
    async close(timeoutMs) {
      drain();
      const done = new AbortController();
      clock.sleep(timeoutMs, done.signal).then(
        () => server.closeAllConnections(),
        () => {},
      );
      await control.close();
      done.abort();
    },
  };
}

function endsWith(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}
