create schema trade;
create table trade.placed (
  id uuid primary key,
  instrument text not null,
  number integer not null,
  side text not null check (side in ('buy', 'sell')),
  quantity integer not null check (quantity > 0),
  price numeric(12, 4) not null
);
create table trade.fill (
  id uuid primary key default gen_random_uuid(),
  buy uuid not null references trade.placed (id),
  sell uuid not null references trade.placed (id),
  quantity integer not null,
  price numeric(12, 4) not null
);
-- When each order came, as this venue saw it: its own record, which does not travel.
create table trade.arrival (
  place bigint generated always as identity primary key,
  "order" uuid not null references trade.placed (id)
);
create index on trade.placed (instrument, side, price);
create index on trade.fill (buy);
create index on trade.fill (sell);

create function trade.open_quantity(of trade.placed) returns integer language sql stable as $$
  select of.quantity - coalesce(sum(quantity), 0)::integer from trade.fill
  where buy = of.id or sell = of.id
$$;

-- Price, then time.
create function trade.match() returns trigger
language plpgsql security definer set search_path = trade, pg_temp as $$
declare
  resting trade.placed;
  left_over integer := new.quantity;
  traded integer;
begin
  insert into trade.arrival ("order") values (new.id);
  for resting in
    select p.* from trade.placed p
    where p.instrument = new.instrument and p.side <> new.side and trade.open_quantity(p) > 0
      and case new.side when 'buy' then p.price <= new.price else p.price >= new.price end
    order by case new.side when 'buy' then p.price else -p.price end, p.number
  loop
    exit when left_over = 0;
    traded := least(left_over, trade.open_quantity(resting));
    insert into trade.fill (buy, sell, quantity, price) values
      (case new.side when 'buy' then new.id else resting.id end,
       case new.side when 'buy' then resting.id else new.id end, traded, resting.price);
    left_over := left_over - traded;
  end loop;
  return null;
end $$;
create trigger match after insert on trade.placed for each row execute function trade.match();

select oltp20.accept_table('trade.order', 'trade.placed');
select oltp20.publish_table('trade.fill', 'trade.fill');
