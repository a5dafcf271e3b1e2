/** The kinds of accounts, in the order in which messages name them. */
export const ACCOUNT_TYPES = ['mp', 'oa', 'web', 'app', 'qq-mp', 'qq-app'] as const;

/**
 * `mp` a mini program, `oa` an official account, `web` a website app and `app` a mobile app of WeChat;
 * `qq-mp` a mini program of QQ, `qq-app` an app of QQ Connect.
 */
export type AccountType = (typeof ACCOUNT_TYPES)[number];
