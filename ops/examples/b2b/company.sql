-- A document is sent with this; it is immutable, and kept in the outbox as sent.
create schema b2b;
create function b2b.send(kind text, receiver text, document jsonb) returns void language sql as $$
  insert into message.outgoing (type, date, payload, destination)
    values (kind, current_date, document::text, 'spoke/' || receiver)
$$;
-- What others sent us, as their certificates say who they are.
create view b2b.received as
  select origin as company, type as kind, date, payload::jsonb as document, received_at
  from message.incoming;
