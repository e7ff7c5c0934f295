\ir company.sql
create table b2b.price (article text primary key, amount numeric(12, 2) not null);
create table b2b.confirmed (
  "order" text not null, buyer text not null, article text not null, amount numeric(12, 2) not null,
  primary key (buyer, "order"));
create table b2b.shipped (buyer text not null, "order" text not null, primary key (buyer, "order"));

create function b2b.on_order(m message.incoming) returns void language plpgsql as $$
declare
  wanted jsonb := m.payload;
  price numeric := (select amount from b2b.price where article = wanted ->> 'article');
begin
  if price is null then
    perform b2b.send('order.refused', m.origin,
      jsonb_build_object('order', wanted ->> 'order', 'reason', 'we do not sell that'));
    return;
  end if;
  insert into b2b.confirmed values (wanted ->> 'order', m.origin, wanted ->> 'article',
                                    price * (wanted ->> 'quantity')::integer);
  perform b2b.send('order.confirmed', m.origin, jsonb_build_object('order', wanted ->> 'order'));
end $$;

-- A day's work: what is confirmed and not shipped goes out, with its invoice, in one transaction each.
create procedure b2b.ship_all() language plpgsql as $$
declare
  next b2b.confirmed;
begin
  for next in select c.* from b2b.confirmed c
              where not exists (select from b2b.shipped s where (s.buyer, s."order") = (c.buyer, c."order"))
  loop
    insert into b2b.shipped values (next.buyer, next."order");
    perform b2b.send('order.shipped', next.buyer, jsonb_build_object('order', next."order"));
    perform b2b.send('order.invoiced', next.buyer,
                     jsonb_build_object('order', next."order", 'amount', next.amount::text));
  end loop;
end $$;

select oltp20.on_message('order.placed', 'b2b.on_order(message.incoming)');
