import { createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../test/support/free-port.ts';
import { startPatient } from './doctor.fixture.ts';

const OFFLINE = { offline: true };

describe('listeners', () => {
  it('that are free, held by a stranger, and not of this machine', async () => {
    const [control, gateway] = [await freePort(), await freePort()];
    const stranger = createServer(socket => void socket.destroy());
    await new Promise<void>(resolve => void stranger.listen(gateway, '127.0.0.1', resolve));
    onTestFinished(() => void stranger.close());
    const patient = await startPatient({
      listen: { control: `127.0.0.1:${control}`, gateway: `127.0.0.1:${gateway}`, gatewayTls: '127.0.0.1:0' },
    });
    const found = await patient.examine(OFFLINE);
    expect(found.of('listen.control')).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('is free'),
    });
    expect(found.of('listen.gateway')).toMatchObject({
      status: 'fail',
      advice: expect.stringContaining(`sport = :${gateway}`),
    });
    expect(found.of('listen.gatewayTls')).toMatchObject({ status: 'ok' });

    patient.configure({ listen: { control: '192.0.2.1:7200', gateway: null, gatewayTls: null } });
    const next = await patient.examine(OFFLINE);
    expect(next.of('listen.control')).toMatchObject({
      status: 'fail',
      found: expect.stringContaining('EADDRNOTAVAIL'),
    });
    expect(next.of('listen.gateway')).toMatchObject({ status: 'skipped' });
  });
});
