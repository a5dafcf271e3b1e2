import type { VirtualTokens } from '../access/virtual-tokens.ts';
import type { CredentialRef } from '../credentials/credentials.ts';

/** What the gateway knows of tokens that callers hold. */
export interface GatewayTokens {
  readonly virtual: VirtualTokens;
  /** Whether the virtual tokens a caller was given up to this time have been revoked. */
  isRevoked(caller: string, issuedAt: number): Promise<boolean>;
  /** The credential this is the fingerprint of, current or within its grace: a token that was ours to give. */
  recognize(fingerprint: string): Promise<CredentialRef | undefined>;
}
