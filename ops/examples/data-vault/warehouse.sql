create schema vault;
create table vault.hub_customer (
  key bytea primary key, number text not null, load_date timestamptz not null, record_source text not null);
create table vault.hub_product (
  key bytea primary key, sku text not null, load_date timestamptz not null, record_source text not null);
create table vault.link_sale (
  key bytea primary key, customer bytea not null references vault.hub_customer (key),
  product bytea not null references vault.hub_product (key),
  load_date timestamptz not null, record_source text not null);
create table vault.sat_customer (
  key bytea not null references vault.hub_customer (key), load_date timestamptz not null,
  record_source text not null, hash_diff bytea not null, name text, city text,
  primary key (key, record_source, load_date));
create table vault.sat_product (
  key bytea not null references vault.hub_product (key), load_date timestamptz not null,
  record_source text not null, hash_diff bytea not null, name text, price numeric(12, 2),
  primary key (key, record_source, load_date));
create table vault.sat_sale (
  key bytea primary key references vault.link_sale (key), load_date timestamptz not null,
  record_source text not null, quantity integer, amount numeric(14, 2), sold_at timestamptz);

create function vault.hash_key(variadic parts text[]) returns bytea language sql immutable as $$
  select sha256(convert_to(upper(array_to_string(
    array(select trim(part) from unnest(parts) as part), '|', '')), 'UTF8'))
$$;
create function vault.hash_diff(variadic parts text[]) returns bytea language sql immutable as $$
  select sha256(convert_to(array_to_string(parts, '|', chr(1)), 'UTF8'))
$$;

create function vault.load(m message.incoming) returns void language plpgsql as $$
declare
  row jsonb := m.payload;  -- every value is a string, exact
  customer bytea := vault.hash_key(coalesce(row ->> 'number', row ->> 'customer'));
  product bytea := vault.hash_key(row ->> 'sku');
  diff bytea;
begin
  if m.type in ('sale.customer', 'sale.line') then
    insert into vault.hub_customer
      values (customer, coalesce(row ->> 'number', row ->> 'customer'), m.received_at, m.origin)
      on conflict (key) do nothing;
  end if;
  if m.type in ('sale.product', 'sale.line') then
    insert into vault.hub_product values (product, row ->> 'sku', m.received_at, m.origin)
      on conflict (key) do nothing;
  end if;
  case m.type
  when 'sale.customer' then
    diff := vault.hash_diff(row ->> 'name', row ->> 'city');
    insert into vault.sat_customer
      select customer, m.received_at, m.origin, diff, row ->> 'name', row ->> 'city'
      where diff is distinct from (
        select s.hash_diff from vault.sat_customer s
        where s.key = customer and s.record_source = m.origin order by s.load_date desc limit 1);
  when 'sale.product' then
    insert into vault.sat_product values (product, m.received_at, m.origin,
      vault.hash_diff(row ->> 'name', row ->> 'price'), row ->> 'name', (row ->> 'price')::numeric);
  when 'sale.line' then
    insert into vault.link_sale
      values (vault.hash_key(row ->> 'id'), customer, product, m.received_at, m.origin);
    insert into vault.sat_sale values (vault.hash_key(row ->> 'id'), m.received_at, m.origin,
      (row ->> 'quantity')::integer, (row ->> 'amount')::numeric, (row ->> 'sold_at')::timestamptz);
  end case;
end $$;

create view vault.turnover as
  select l.record_source as store, count(*) as sales, sum(s.amount) as amount
  from vault.link_sale l join vault.sat_sale s using (key) group by l.record_source;

select oltp20.on_message('sale.>', 'vault.load(message.incoming)');
