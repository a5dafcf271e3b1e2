import type { CallRow } from './store.ts';

/** A call that went well, as the tests of the call log have them. */
export function callRow(change: Pick<CallRow, 'seqid' | 'startedAt'> & Partial<CallRow>): CallRow {
  return {
    durationMs: 23,
    upstreamMs: 20,
    sends: 1,
    method: 'GET',
    path: '/wxa/x',
    remoteAddress: '127.0.0.1',
    caller: 'orders',
    platform: 'weixin-mp',
    app: 'shop',
    appid: 'wx01',
    injected: true,
    credential: '0123456789abcdef',
    status: 200,
    errcode: 0,
    rid: undefined,
    failure: undefined,
    replayed: false,
    requestBytes: 0,
    answerBytes: 27,
    end: 'whole',
    ...change,
  };
}
