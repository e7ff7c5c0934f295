-- What capture knows: lives (epochs) of this database, ticks, checkpoints, refusals.

create table oltp20.epoch (
  number bigint generated always as identity primary key,
  id uuid not null unique,
  parent uuid,
  fork_seq bigint not null default 0,
  fork_chain bytea not null default decode(repeat('00', 32), 'hex'),
  network_has bigint not null default 0,
  lost bigint not null default 0,  -- of the parent: what the network has and this life has not
  -- Transactions with a lower id were begun before this life was known as one: an earlier life may
  -- have sent them too, also those that are prepared still.
  overlap_before xid8 not null default '0',
  why text not null,
  begun_at timestamptz not null default clock_timestamp()
);

-- An epoch that an operator declared settled: retention no longer waits for its stable mark.
create table oltp20.settled_epoch (
  id uuid primary key references oltp20.epoch (id),
  reason text not null,
  settled_by text not null default session_user,
  settled_at timestamptz not null default clock_timestamp()
);

create table oltp20.secret (bytes bytea not null check (octet_length(bytes) = 32));

-- Each epoch begins with an anchor: a tick with last = 0 whose snapshot it continues from.
create table oltp20.tick (
  number bigint primary key,
  epoch uuid not null references oltp20.epoch (id),
  previous pg_snapshot not null,
  snapshot pg_snapshot not null,
  first bigint not null,
  last bigint not null,
  system_identifier text not null,
  timeline bigint not null,
  wal_lsn pg_lsn not null,
  taken_at timestamptz not null default clock_timestamp(),
  -- SHA-256 over the ids of its transactions (8 bytes each) in their order; null: not known.
  -- Compared when the tick is read again, so that a change of order is never sent.
  digest bytea check (octet_length(digest) = 32)
);
create index tick_epoch_last on oltp20.tick (epoch, last);
create index tick_epoch_taken_at on oltp20.tick (epoch, taken_at, number);

create table oltp20.checkpoint (
  epoch uuid not null references oltp20.epoch (id),
  seq bigint not null,
  chain bytea not null,
  hub text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (epoch, seq)
);

create table oltp20.rejection (
  epoch uuid not null references oltp20.epoch (id),
  seq bigint not null,
  xid xid8 not null,
  code text not null,
  reason text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (epoch, seq)
);

create index rejection_at on oltp20.rejection (at);

-- How many there are, so that nobody counts them.
create table oltp20.rejection_count (rejections bigint not null) with (fillfactor = 10);
insert into oltp20.rejection_count values (0);
create function oltp20.count_rejections() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update oltp20.rejection_count set rejections = rejections
    + (select count(*) from changed) * case tg_op when 'INSERT' then 1 else -1 end;
  return null;
end $$;
create trigger count_inserted after insert on oltp20.rejection
  referencing new table as changed for each statement execute function oltp20.count_rejections();
create trigger count_deleted after delete on oltp20.rejection
  referencing old table as changed for each statement execute function oltp20.count_rejections();
alter table oltp20.rejection enable always trigger count_inserted;
alter table oltp20.rejection enable always trigger count_deleted;

create view oltp20.rejected as
  select r.epoch, r.seq, r.xid, r.code, r.reason, r.at,
         (select array_agg(o.id order by o.position) from message.outgoing o where o.xid = r.xid)
           as ids
  from oltp20.rejection r;

-- How far rows of an epoch have been dropped.
create table oltp20.pruned (
  epoch uuid not null references oltp20.epoch (id),
  seq bigint not null,
  tick bigint not null,
  slot smallint not null,
  at timestamptz not null default clock_timestamp()
);

-- The first life. Its anchor's snapshot precedes every transaction.
do $$
declare
  first_epoch uuid := gen_random_uuid();
begin
  insert into oltp20.epoch (id, why) values (first_epoch, 'installed');
  insert into oltp20.tick values
    (0, first_epoch, '3:3:', '3:3:', 1, 0, '', 0, '0/0');
  insert into oltp20.secret values
    (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
            || uuid_send(gen_random_uuid())));
end $$;
