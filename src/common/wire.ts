/** Beside every failure: the program's own word for it, as `errCode` knows but one for all that are not the platform's. */
export const ERROR_HEADER = 'x-bridge-error';

/** Beside every success: the app the key turned out to mean, as `platform:appid`. */
export const APP_HEADER = 'x-bridge-app';

/** uniCloud's way to put a code and a message into one string. */
export const UNI_CLOUD_MESSAGE = /^([^:]*):(.*)$/s;
