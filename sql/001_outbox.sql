-- The outbox: message.outgoing, a ring of four partitions, its order and its wake-up call.
-- Runs as oltp20_owner inside the one transaction of the installation. See README.md.

create table oltp20.setting (
  name text primary key,
  value text not null
);

-- Sequences are read and set outside transactions: what one session sets, all see at once.
create sequence oltp20.position as bigint;
create sequence oltp20.slot minvalue 0 maxvalue 3 cycle;
create sequence oltp20.asleep;
do $$ begin perform setval('oltp20.slot', 0, true); end $$;

create table message.outgoing (
  id uuid not null default gen_random_uuid(),
  type text collate "C" not null,
  date date,
  payload text,
  headers jsonb,
  destination text collate "C",
  sent_at timestamptz not null default clock_timestamp(),
  xid xid8 not null default pg_current_xact_id(),
  position bigint not null default nextval('oltp20.position'),
  -- The first row of its transaction, as far as the setting oltp20.head remembers; its deferred
  -- trigger draws the transaction's order at commit.
  head boolean not null default false,
  slot smallint not null default pg_sequence_last_value('oltp20.slot'),
  -- What a handler writes while a transaction is applied has one more than that one.
  hops smallint not null default coalesce(nullif(current_setting('oltp20.hops', true), ''), '0')
    ::smallint,
  constraint handlers_have_answered_each_other_8_times_which_looks_endless
    check (hops between 0 and 8),
  constraint type_is_words_of_letters_digits_underscore_hyphen_joined_by_dot
    check (type ~ '^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$'),
  constraint type_at_most_255_bytes check (octet_length(type) <= 255),
  constraint destination_is_spoke_slash_name_or_region_slash_name
    check (destination ~ '^(spoke|region)/[A-Za-z0-9._-]{1,63}$'),
  constraint "payload_and_headers_at_most_1000_KiB_split_or_store_elsewhere"
    check (coalesce(octet_length(payload), 0) + coalesce(octet_length(headers::text), 0)
           <= 1024000)
) partition by list (slot);

create table message.outgoing_0 partition of message.outgoing for values in (0);
create table message.outgoing_1 partition of message.outgoing for values in (1);
create table message.outgoing_2 partition of message.outgoing for values in (2);
create table message.outgoing_3 partition of message.outgoing for values in (3);
create index outgoing_xid_position on message.outgoing (xid, position);

-- ---- waking the agent -------------------------------------------------------------------------

-- The first notifier clears the flag, so that an agent that died asleep costs one notification.
-- Where transactions may be prepared nothing is notified: PREPARE TRANSACTION would fail.
create function oltp20.wake() returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('max_prepared_transactions')::integer = 0 then
    perform setval('oltp20.asleep', 1, false);
    notify oltp20_outbox;
  end if;
end $$;

create function oltp20.wake_after_insert() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform oltp20.wake();
  return null;
end $$;

-- ---- the order of transactions ----------------------------------------------------------------

-- Numbers drawn at the end of transactions.
create table oltp20.marker (
  xid xid8 not null default pg_current_xact_id(),
  position bigint not null default nextval('oltp20.position'),
  slot smallint not null default pg_sequence_last_value('oltp20.slot')
) partition by list (slot);

create table oltp20.marker_0 partition of oltp20.marker for values in (0);
create table oltp20.marker_1 partition of oltp20.marker for values in (1);
create table oltp20.marker_2 partition of oltp20.marker for values in (2);
create table oltp20.marker_3 partition of oltp20.marker for values in (3);
create index marker_xid on oltp20.marker (xid);

-- At commit, once a transaction, in two rounds: a row of the first only queues an event behind all
-- deferred triggers of the transaction, so that its foreign keys have been checked before the
-- number is drawn. Nobody reads that row: it has no column, no log, and goes when retention runs.
-- Deferred triggers fire as whoever is current at COMMIT, who after SET ROLE or a function of
-- somebody else may have no rights here at all: so with ours.
create unlogged table oltp20.round ();

create function oltp20.draw_again() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into oltp20.round default values;
  return null;
end $$;

-- Forgetting oltp20.head lets rows that follow SET CONSTRAINTS ... IMMEDIATE draw again. Assigned,
-- since PERFORM would run it as a query of its own, at each commit.
create function oltp20.draw_order() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  forgotten text := set_config('oltp20.head', '', true);
begin
  insert into oltp20.marker default values;
  if pg_sequence_last_value('oltp20.asleep') is not null then
    perform oltp20.wake();
  end if;
  return null;
end $$;

create constraint trigger draw_order after insert on oltp20.round
  deferrable initially deferred for each row execute function oltp20.draw_order();
alter table oltp20.round enable always trigger draw_order;

-- Needs message.outgoing for itself for a moment. Inserts that come while it waits for that queue
-- behind it, so it asks for 50 ms at a time, until `patience` has passed.
create function oltp20.set_order(mode text, patience interval default '10 seconds') returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
declare
  give_up_at timestamptz := clock_timestamp() + patience;
begin
  if mode is null or mode not in ('exact', 'fast') then
    raise exception 'order is ''exact'' or ''fast'', not %', quote_nullable(mode)
      using errcode = 'invalid_parameter_value';
  end if;
  loop
    begin
      lock table message.outgoing in access exclusive mode;
      exit;
    exception when lock_not_available then
      if clock_timestamp() > give_up_at then
        raise exception 'the order stays %: transactions that use message.outgoing have been open '
          'for %. Try again when they have ended',
          (select quote_literal(value) from oltp20.setting where name = 'order'), patience
          using errcode = 'lock_not_available';
      end if;
    end;
    perform pg_sleep(0.2);
  end loop;
  drop trigger if exists draw_again on message.outgoing;
  drop trigger if exists wake on message.outgoing;
  if mode = 'exact' then
    alter table message.outgoing alter column head set default
      case when current_setting('oltp20.head', true) = pg_current_xact_id()::text then false
           else set_config('oltp20.head', pg_current_xact_id()::text, true) is not null end;
    create constraint trigger draw_again after insert on message.outgoing
      deferrable initially deferred for each row when (new.head)
      execute function oltp20.draw_again();
    for slot in 0 .. 3 loop
      execute format('alter table message.outgoing_%s enable always trigger draw_again', slot);
    end loop;
  else
    alter table message.outgoing alter column head set default false;
    create trigger wake after insert on message.outgoing for each statement
      when (pg_sequence_last_value('oltp20.asleep') is not null)
      execute function oltp20.wake_after_insert();
    alter table message.outgoing enable always trigger wake;
  end if;
  insert into oltp20.setting values ('order', mode)
    on conflict (name) do update set value = excluded.value;
end $$;

do $$ begin perform oltp20.set_order('exact'); end $$;
