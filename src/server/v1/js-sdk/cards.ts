import type { Handler } from '../../control.ts';
import { appFor } from '../deps.ts';
import type { JsSdkHandlerDeps } from './page.ts';

/** POST /v1/js-sdk/add-card: what wx.addCard needs. */
export function signCardToAdd(deps: JsSdkHandlerDeps): Handler<'signCardToAdd'> {
  return async ({ identity, body: { appid, ...card } }) => ({
    answer: await deps.jsSdk.signCardToAdd(appFor(deps, identity, appid), card),
  });
}

/** POST /v1/js-sdk/choose-card: what wx.chooseCard needs. */
export function signCardsToChoose(deps: JsSdkHandlerDeps): Handler<'signCardsToChoose'> {
  return async ({ identity, body: { appid, ...cards } }) => ({
    answer: await deps.jsSdk.signCardsToChoose(appFor(deps, identity, appid), cards),
  });
}
