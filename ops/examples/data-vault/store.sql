-- What a store records; it never changes a row. :store is its name.
create schema store;
create table store.customer (
  number text not null,
  said_at timestamptz not null default clock_timestamp(),
  name text not null,
  city text,
  primary key (number, said_at)
);
create table store.product (sku text primary key, name text not null, price numeric(12, 2) not null);
create table store.sale (
  id uuid primary key default gen_random_uuid(),
  customer text not null,
  sku text not null references store.product (sku),
  quantity integer not null check (quantity > 0),
  amount numeric(14, 2) not null,
  sold_at timestamptz not null default clock_timestamp()
);
select oltp20.publish_table('store.customer', 'sale.customer');
select oltp20.publish_table('store.product', 'sale.product');
select oltp20.publish_table('store.sale', 'sale.line');
