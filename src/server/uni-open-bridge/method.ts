import type { FastifyReply, FastifyRequest } from 'fastify';
import { BridgeError } from '../../base/errors.ts';
import { type MethodName, methodNamed } from '../../common/methods.ts';

/**
 * The function a request is for. Throws NOT_FOUND for a path that is none, and METHOD_NOT_ALLOWED for
 * another verb than POST, with the `allow` header that goes with it (RFC 9110, 15.5.6).
 */
export function methodOf(request: FastifyRequest, reply: FastifyReply, prefix: string): MethodName {
  const [path = ''] = request.url.split('?', 1);
  const [name = '', ...rest] = path.slice(prefix.length).split('/').slice(1);
  if (name === '') {
    throw new BridgeError('NOT_FOUND', `there is no method in ${prefix}`, {
      hint: `send POST ${prefix}/getAccessToken, for one`,
    });
  }
  const method = methodNamed(name);
  // One slash at the end is what some clients put there of their own accord.
  if (rest.join('/') !== '') {
    throw new BridgeError('NOT_FOUND', `there is nothing below ${prefix}/${method}`, {
      hint: `send POST ${prefix}/${method}, with the parameters in the body`,
    });
  }
  if (request.method === 'POST') return method;
  reply.header('allow', 'POST');
  throw new BridgeError('METHOD_NOT_ALLOWED', `${method} is called by POST, not ${request.method}`, {
    hint: 'send the parameters as a JSON object in the body of a POST',
  });
}
