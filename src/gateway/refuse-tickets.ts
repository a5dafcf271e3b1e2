import { followerReadOnly } from '../credentials/follower.ts';
import type { Stage } from './call.ts';

/** In the place of `answerTickets` at a bridge that follows another: the ticket would be the followed one's. */
export const refuseTickets: Stage = next => call => {
  if (call.injects && call.path === call.platform?.ticketPath?.path) throw followerReadOnly('read');
  return next(call);
};
