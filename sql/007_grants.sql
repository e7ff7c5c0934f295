-- Who may do what. Internal functions are nobody's by default.

revoke all on all functions in schema oltp20 from public;
revoke all on all tables in schema oltp20, message from public;

grant usage on schema message, oltp20 to oltp20_application, oltp20_agent, oltp20_admin;

-- The application: write the outbox (by column), read the inbox and the status.
grant insert (id, type, date, payload, headers, destination) on message.outgoing
  to oltp20_application, oltp20_agent;
grant usage on sequence oltp20.position to oltp20_application, oltp20_agent;
grant select on sequence oltp20.slot, oltp20.asleep to oltp20_application, oltp20_agent;
grant select on message.outgoing, message.incoming to oltp20_application;
grant select on oltp20.status, oltp20.gap, oltp20.rejected to oltp20_application;
grant execute on function oltp20.current_epoch(), oltp20.stable_seq(uuid) to oltp20_application;

-- The agent: reads everything, inserts, moves marks; it owns nothing and removes nothing.
grant select on all tables in schema message, oltp20 to oltp20_agent;
grant insert on oltp20.tick, oltp20.checkpoint, oltp20.rejection, oltp20.epoch to oltp20_agent;
grant update on sequence oltp20.asleep to oltp20_agent;
grant insert on message.incoming, oltp20.known_epoch, oltp20.gap, oltp20.dead_letter,
  oltp20.dead_letter_part, oltp20.database_life, oltp20.mark, oltp20.stream_position
  to oltp20_agent;
grant update on oltp20.mark, oltp20.stream_position to oltp20_agent;
grant update (before_incarnation, before_lsn, before_hash) on oltp20.gap to oltp20_agent;
grant insert on oltp20.retention_run to oltp20_agent;
grant execute on function oltp20.current_epoch(), oltp20.stable_seq(uuid),
  oltp20.rotate(interval), oltp20.prune_slot(integer, interval), oltp20.prune_history(interval),
  oltp20.clock_jumped(double precision), oltp20.known_ids(text, uuid, bigint, uuid[])
  to oltp20_agent;

-- The administrator of the network: reads everything but the secret, and decides.
grant select on all tables in schema message, oltp20 to oltp20_admin;
revoke select on oltp20.secret from oltp20_admin;
grant execute on function oltp20.current_epoch(), oltp20.stable_seq(uuid),
  oltp20.close_gap(bigint, text), oltp20.retry_gap(bigint), oltp20.set_order(text, interval),
  oltp20.settle_epoch(uuid, text),
  oltp20.prune_incoming(interval, integer) to oltp20_admin;
