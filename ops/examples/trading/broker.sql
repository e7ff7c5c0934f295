create schema trade;
create table trade.instrument (name text primary key, last integer not null default 0);
insert into trade.instrument values ('ACME'), ('GLOBEX'), ('INITECH');

create table trade.placed (
  id uuid primary key default gen_random_uuid(),
  instrument text not null,
  number integer not null,  -- of its instrument, in the order of commits
  side text not null check (side in ('buy', 'sell')),
  quantity integer not null check (quantity > 0),
  price numeric(12, 4) not null
);
create table trade.fill (
  id uuid primary key,
  buy uuid not null references trade.placed (id),
  sell uuid not null references trade.placed (id),
  quantity integer not null,
  price numeric(12, 4) not null
);

-- Holds the instrument's row until commit: whoever has the next number commits later.
create function trade.place(instrument text, side text, quantity integer, price numeric)
returns void language sql as $$
  with next as (update trade.instrument i set last = last + 1 where i.name = place.instrument
                returning last)
  insert into trade.placed (instrument, number, side, quantity, price)
    select place.instrument, last, place.side, place.quantity, place.price from next
$$;

select oltp20.publish_table('trade.placed', 'trade.order');
select oltp20.accept_table('trade.fill', 'trade.fill');
