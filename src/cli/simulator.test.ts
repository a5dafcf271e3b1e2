import { expect, it, onTestFinished } from 'vitest';
import type { CliContext } from './context.ts';
import { port, simulatorCommand } from './simulator.ts';

/** What a command printed, and how to end it. */
interface Running {
  readonly printed: readonly string[];
  stop(): Promise<number>;
}

/** Runs `open-bridge simulator` in this process. */
async function startCommand(...args: string[]): Promise<Running> {
  const printed: string[] = [];
  const stops: (() => void)[] = [];
  const exit = Promise.withResolvers<number>();
  const context: CliContext = {
    version: '0.0.0-test',
    instance: 'test:1',
    env: {},
    tmpDir: '/tmp',
    uid: undefined,
    out: text => void printed.push(text),
    err: text => void printed.push(text),
    onSignal: (_signal, act) => void stops.push(act),
    exit: exit.resolve,
  };
  await simulatorCommand(context).parseAsync(args, { from: 'user' });
  const stop = (): Promise<number> => {
    stops[0]?.();
    return exit.promise;
  };
  onTestFinished(() => void stop());
  return { printed, stop };
}

it('serves the hosts of WeChat and QQ, with an account on each of six platforms', async () => {
  const { printed, stop } = await startCommand('--port', '0');
  const [title = ''] = printed;
  expect(title).toMatch(/^simulator of api\.weixin\.qq\.com, api\.q\.qq\.com and graph\.qq\.com: http/);
  const origin = /http:\S+/.exec(title)?.[0] ?? '';
  const accounts = printed.flatMap(line => {
    const [, appid = '', type = '', secret = ''] = /account (\S+) \((\S+)\), secret (\S+)/.exec(line) ?? [];
    return appid === '' ? [] : [{ appid, type, secret }];
  });
  expect(accounts.map(({ type }) => type)).toEqual(['mp', 'oa', 'web', 'app', 'qq-mp', 'qq-app']);

  const answerTo = async (type: string): Promise<unknown> => {
    const { appid = '', secret = '' } = accounts.find(account => account.type === type) ?? {};
    const oauth = `/sns/oauth2/access_token?appid=${appid}&secret=${secret}&code=alice&grant_type=authorization_code`;
    const connect = `client_id=${appid}&client_secret=${secret}&code=alice&redirect_uri=x&fmt=json`;
    const paths: Readonly<Record<string, string>> = {
      mp: `/cgi-bin/token?grant_type=client_credential&appid=${appid}&secret=${secret}`,
      oa: `/cgi-bin/token?grant_type=client_credential&appid=${appid}&secret=${secret}`,
      web: oauth,
      app: oauth,
      'qq-mp': `/api/getToken?grant_type=client_credential&appid=${appid}&secret=${secret}`,
      'qq-app': `/oauth2.0/token?grant_type=authorization_code&${connect}`,
    };
    return (await fetch(`${origin}${paths[type]}`)).json();
  };
  for (const { type } of accounts)
    expect(await answerTo(type)).toMatchObject({ access_token: expect.any(String) });

  expect(await stop()).toBe(0);
  await expect(fetch(origin)).rejects.toThrow();
});

it.each(['70000', '-1', '1.5', 'http'])('refuses %s as a port', text => {
  expect(() => port(text)).toThrow('a port is a whole number from 0 to 65535');
});
