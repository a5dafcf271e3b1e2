import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { originOf, type Peer } from './peer.ts';

/** What the scripts of the Node.js libraries are told. */
export interface NodeProxySettings {
  readonly port: number;
  readonly origin: string;
  /** File of the certificate to trust. */
  readonly certificate: string;
}

function nodeProxy(name: string, about: string, packageName: string, script: string): Peer {
  const installed = existsSync(
    join(import.meta.dirname, '../../../node_modules', packageName, 'package.json'),
  );
  return {
    name,
    about,
    absent: installed ? undefined : `the package ${packageName} is not installed`,
    prepare({ port, leg, upstream }) {
      const settings: NodeProxySettings = {
        port,
        origin: originOf(upstream, leg),
        certificate: upstream.certificate,
      };
      return { file: process.execPath, args: [join(import.meta.dirname, script), JSON.stringify(settings)] };
    },
  };
}

/** The maintained successor of http-proxy. */
export const httpProxy3Peer = nodeProxy(
  'http-proxy-3',
  'fixed token written into req.url, one process, keep-alive agent, no log',
  'http-proxy-3',
  'http-proxy-3-main.ts',
);

/** Fastify's proxy plugin, which forwards with undici as the gateway does. */
export const fastifyPeer = nodeProxy(
  'fastify-http-proxy',
  '@fastify/http-proxy, fixed token by replyOptions.queryString, one process, undici with 256 connections, no log',
  '@fastify/http-proxy',
  'fastify-http-proxy-main.ts',
);
