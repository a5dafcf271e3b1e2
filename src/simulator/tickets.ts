import { type BoundedMap, createBoundedMap } from './bounded.ts';

/** Life of a ticket, page getTicket. */
export const TICKET_LIFE_MS = 7_200_000;

const REMEMBERED_TICKETS = 256;

export type TicketType = 'jsapi' | 'wx_card';

/**
 * The tickets of one account. Each fetch gives a new ticket with its full life and kills none before
 * it: users report that expires_in stays 7200 and that earlier tickets keep working.
 */
export interface Tickets {
  issue(type: TicketType, now: number): string;
  /** Whether this very ticket was issued for the type and still lives. */
  isValid(type: TicketType, ticket: string, now: number): boolean;
}

/** `textOf` makes the text of the ticket with this serial (1, 2, …, per type). */
export function createTickets(textOf: (type: TicketType, serial: number) => string): Tickets {
  const serials = new Map<TicketType, number>();
  // Made on first use: most accounts never ask for a ticket.
  let issued: BoundedMap<number> | undefined;
  return {
    issue(type, now) {
      const serial = (serials.get(type) ?? 0) + 1;
      serials.set(type, serial);
      const ticket = textOf(type, serial);
      issued ??= createBoundedMap(REMEMBERED_TICKETS);
      issued.set(`${type} ${ticket}`, now + TICKET_LIFE_MS);
      return ticket;
    },
    isValid(type, ticket, now) {
      const expiresAt = issued?.get(`${type} ${ticket}`);
      return expiresAt !== undefined && now < expiresAt;
    },
  };
}
