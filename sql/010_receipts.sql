-- What became of this database's transactions: receipts of destinations, oltp20.delivery,
-- oltp20.wait_for().

-- ---- as a destination: what marks have passed without applying it ------------------------------

create view oltp20.not_applied as
  select origin, epoch, seq - 1 as from_seq, seq as to_seq, 1 as kind, sqlstate as code,
         error as reason
    from oltp20.dead_letter
  union all
  select origin, epoch, from_seq, to_seq, 2, '', coalesce(close_reason, '')
    from oltp20.gap where given_up and origin <> '';

-- ---- as an origin: what destinations said ------------------------------------------------------

-- The newest word of each destination about each life of this database: whatever was for it in
-- (base, seq] is applied and durable there, but for oltp20.receipt_exception.
create table oltp20.receipt (
  destination text collate "C" not null,
  epoch uuid not null references oltp20.epoch (id),
  region text collate "C" not null,
  database uuid not null,  -- which life of the destination's database said so
  base bigint not null,
  seq bigint not null,
  held_to bigint not null,
  held_reason text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (destination, epoch)
) with (fillfactor = 50);

-- When marks moved, and what they passed without applying it. In a ring, as the outbox is.
create table oltp20.receipt_log (
  destination text collate "C" not null,
  epoch uuid not null,
  seq bigint not null,
  at timestamptz not null default clock_timestamp(),
  slot smallint not null default pg_sequence_last_value('oltp20.slot')
) partition by list (slot);
create table oltp20.receipt_exception (
  destination text collate "C" not null,
  epoch uuid not null,
  from_seq bigint not null,
  to_seq bigint not null,
  kind smallint not null,  -- 1 dead letter, 2 given up, 3 some of these
  code text not null,
  reason text not null,
  at timestamptz not null default clock_timestamp(),
  slot smallint not null default pg_sequence_last_value('oltp20.slot')
) partition by list (slot);
do $$
begin
  for slot in 0 .. 3 loop
    execute format('create table oltp20.receipt_log_%1$s partition of oltp20.receipt_log '
                   'for values in (%1$s)', slot);
    execute format('create table oltp20.receipt_exception_%1$s partition of '
                   'oltp20.receipt_exception for values in (%1$s)', slot);
  end loop;
end $$;
create index receipt_log_seq on oltp20.receipt_log (epoch, destination, seq);
create index receipt_log_at on oltp20.receipt_log (at);
create index receipt_exception_seq on oltp20.receipt_exception (epoch, destination, to_seq);
create index receipt_exception_at on oltp20.receipt_exception (at);

-- A lower mark than before takes back what was above it: the destination was restored.
create function oltp20.record_receipt(of_destination text, of_region text, of_database uuid,
  of_epoch uuid, of_base bigint, of_seq bigint, of_held_to bigint, of_held_reason text)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  before bigint;
begin
  select r.seq into before from oltp20.receipt r
    where r.destination = of_destination and r.epoch = of_epoch;
  insert into oltp20.receipt as r
      (destination, epoch, region, database, base, seq, held_to, held_reason)
    select of_destination, e.id, of_region, of_database, of_base, of_seq, of_held_to,
           of_held_reason
      from oltp20.epoch e where e.id = of_epoch
    on conflict (destination, epoch) do update
      set region = excluded.region, database = excluded.database, base = excluded.base,
          seq = excluded.seq, held_to = excluded.held_to, held_reason = excluded.held_reason,
          at = excluded.at;
  if before > of_seq then
    delete from oltp20.receipt_log l
      where l.epoch = of_epoch and l.destination = of_destination and l.seq > of_seq;
    delete from oltp20.receipt_exception x
      where x.epoch = of_epoch and x.destination = of_destination and x.to_seq > of_seq;
  end if;
  if before is distinct from of_seq and of_seq > 0 then
    insert into oltp20.receipt_log (destination, epoch, seq)
      values (of_destination, of_epoch, of_seq);
  end if;
end $$;

create function oltp20.record_receipt_exception(of_destination text, of_epoch uuid,
  of_from bigint, of_to bigint, of_kind integer, of_code text, of_reason text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into oltp20.receipt_exception
      (destination, epoch, from_seq, to_seq, kind, code, reason)
    select of_destination, of_epoch, of_from, of_to, of_kind, of_code, of_reason
    where not exists (
      select from oltp20.receipt_exception x
      where x.epoch = of_epoch and x.destination = of_destination and x.to_seq = of_to
        and x.from_seq = of_from and x.kind = of_kind)
$$;

-- Empties an idle child of the ring when nothing in it is younger than the horizon. Says whether it
-- did.
create function oltp20.prune_receipts(slot integer, horizon interval) returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
declare
  newest timestamptz;
begin
  if slot = pg_sequence_last_value('oltp20.slot')
     or exists (select from oltp20.clock_jump j where j.at > statement_timestamp() - horizon) then
    return false;
  end if;
  execute format('select greatest((select max(at) from oltp20.receipt_log_%1$s), '
                 '(select max(at) from oltp20.receipt_exception_%1$s))', slot) into newest;
  if newest is null or newest > statement_timestamp() - horizon then
    return false;
  end if;
  execute format('truncate oltp20.receipt_log_%1$s, oltp20.receipt_exception_%1$s', slot);
  return true;
end $$;

-- ---- types whose receipts nobody wants ---------------------------------------------------------

create table oltp20.receipt_off (
  pattern text collate "C" primary key,
  expression text not null,
  by text not null default session_user,
  at timestamptz not null default clock_timestamp()
);

create function oltp20.set_receipts(type_pattern text, wanted boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if type_pattern is null or wanted is null or type_pattern !~
     '^(>|([A-Za-z0-9_-]+|[*])([.]([A-Za-z0-9_-]+|[*]))*([.]>)?)$' then
    raise exception '% is no pattern of types: words joined by dots, * for one word, > at the end '
      'for one or more, as in ''order.>''; and wanted is true or false',
      quote_nullable(type_pattern) using errcode = 'invalid_parameter_value';
  end if;
  delete from oltp20.receipt_off r where r.pattern = type_pattern;
  if not wanted then
    insert into oltp20.receipt_off (pattern, expression) values (type_pattern,
      '^' || replace(replace(replace(type_pattern, '.', '[.]'), '*', '[^.]+'), '>', '.+') || '$');
  elsif exists (select from oltp20.receipt_off) then
    raise notice 'receipts are still switched off for %: a type that one of these matches has none',
      (select string_agg(quote_literal(r.pattern), ', ' order by r.pattern)
         from oltp20.receipt_off r);
  end if;
end $$;

create function oltp20.receipts_are_off(of_type text) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from oltp20.receipt_off r where of_type ~ r.expression)
$$;

-- ---- which transaction is which ----------------------------------------------------------------

-- Where transactions lie in their tick: how many of the tick come no later. All of the tick are
-- read, once for however many are asked for.
create function oltp20.ranks_in_tick(of_tick bigint, of_xids xid8[])
returns table (xid xid8, rank bigint)
language sql stable security definer
set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off as $$
  with t as materialized (select k.previous, k.snapshot from oltp20.tick k where k.number = of_tick),
  numbers as (
    select o.xid, o.position, true as is_row from message.outgoing o
      where o.xid >= (select pg_snapshot_xmax(t.previous) from t)
        and o.xid < (select pg_snapshot_xmax(t.snapshot) from t)
    union all
    select m.xid, m.position, false from oltp20.marker m
      where m.xid >= (select pg_snapshot_xmax(t.previous) from t)
        and m.xid < (select pg_snapshot_xmax(t.snapshot) from t)
    union all
    select o.xid, o.position, true from message.outgoing o
      where o.xid = any (array(select pg_snapshot_xip(t.previous) from t))
    union all
    select m.xid, m.position, false from oltp20.marker m
      where m.xid = any (array(select pg_snapshot_xip(t.previous) from t))
  ),
  places as (
    select n.xid, max(n.position) as place from numbers n
      where pg_visible_in_snapshot(n.xid, (select t.snapshot from t))
      group by n.xid having bool_or(n.is_row)
  )
  select r.xid, r.rank
    from (select p.xid, row_number() over (order by p.place) as rank from places p) r
    where r.xid = any (of_xids)
$$;

-- The tick that captured a transaction, in the youngest life that did; nulls while none has. A
-- binary search over the ticks of a life, about 20 probes for a million of them.
create function oltp20.tick_of(of_xid xid8) returns oltp20.tick
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  life oltp20.epoch;
  upto bigint;  -- of the life: what its successor continues
  low oltp20.tick;
  high oltp20.tick;
  middle oltp20.tick;
begin
  select e.* into life from oltp20.epoch e order by e.number desc limit 1;
  loop
    select t.* into high from oltp20.tick t
      where t.epoch = life.id and (upto is null or t.last <= upto) order by t.last desc limit 1;
    select t.* into low from oltp20.tick t where t.epoch = life.id order by t.last limit 1;
    if high.number is null or not pg_visible_in_snapshot(of_xid, high.snapshot) then
      return null;
    end if;
    exit when not pg_visible_in_snapshot(of_xid, low.previous);
    if low.last <> 0 or life.parent is null then
      return null;  -- of a tick that retention has forgotten
    end if;
    upto := life.fork_seq;
    select e.* into life from oltp20.epoch e where e.id = life.parent;
  end loop;
  while low.number < high.number loop
    select t.* into middle from oltp20.tick t
      where t.number <= (low.number + high.number) / 2 order by t.number desc limit 1;
    if pg_visible_in_snapshot(of_xid, middle.snapshot) then
      high := middle;
    else
      select t.* into low from oltp20.tick t where t.number > middle.number
        order by t.number limit 1;
    end if;
  end loop;
  return high;
end $$;

-- Numbers of many transactions. The tick of each is searched for, and the transactions of a tick
-- are read once, unless it holds only one.
create function oltp20.places_of(of_xids xid8[])
returns table (xid xid8, epoch uuid, seq bigint, tick bigint, captured_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
  with found as materialized (
    select asked.xid, t.epoch, t.number, t.first, t.last, t.taken_at
      from unnest(of_xids) as asked (xid) left join lateral oltp20.tick_of(asked.xid) t on true),
  ticks as materialized (
    select f.number, array_agg(f.xid) as xids from found f where f.last > f.first group by f.number),
  ranks as materialized (
    select r.xid, r.rank from ticks, lateral oltp20.ranks_in_tick(ticks.number, ticks.xids) r)
  select f.xid, f.epoch, f.first - 1 + case when f.last > f.first then r.rank else 1 end,
         f.number, f.taken_at
    from found f left join ranks r on r.xid = f.xid
$$;

-- The transaction's number in the youngest life that captured it; nulls while none has.
create function oltp20.place_of(of_xid xid8, out epoch uuid, out seq bigint, out tick bigint,
  out captured_at timestamptz)
language plpgsql stable security definer cost 10000 set search_path = pg_catalog, pg_temp as $$
declare
  high constant oltp20.tick := oltp20.tick_of(of_xid);
begin
  epoch := high.epoch;
  tick := high.number;
  captured_at := high.taken_at;
  seq := high.first;
  if high.last > high.first then
    seq := high.first - 1 + (select r.rank from oltp20.ranks_in_tick(tick, array[of_xid]) r);
  end if;
end $$;

-- Whether a destination may be among those whom the transaction's rows are addressed to.
create function oltp20.may_be_for(of_xid xid8, of_destination text, of_region text)
returns boolean language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from message.outgoing o where o.xid = of_xid and (o.destination is null
    or o.destination = 'spoke/' || of_destination
    or (o.destination like 'region/%' and o.destination = 'region/' || coalesce(of_region,
        substr(o.destination, 8)))))
$$;

-- What one destination has told of one transaction.
create function oltp20.outcome_at(of_epoch uuid, of_seq bigint, of_destination text,
  out state text, out at timestamptz, out reason text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  word oltp20.receipt;
  exception_ oltp20.receipt_exception;
begin
  select r.* into word from oltp20.receipt r
    where r.destination = of_destination and r.epoch = of_epoch;
  if word.epoch is null then
    return;
  elsif of_seq <= word.base then
    state := 'before';
    reason := format('spoke/%s was delivered nothing up to %s of this life', of_destination,
                     word.base);
    return;
  elsif of_seq > word.seq then
    state := case when word.held_to > word.seq then 'held_back' else 'waiting' end;
    reason := nullif(word.held_reason, '');
    return;
  end if;
  select x.* into exception_ from oltp20.receipt_exception x
    where x.epoch = of_epoch and x.destination = of_destination and x.to_seq >= of_seq
      and x.from_seq < of_seq
    order by x.kind, x.at limit 1;
  if exception_.epoch is null then
    state := 'applied';
    select min(l.at) into at from (
      select l.at from oltp20.receipt_log l where l.epoch = of_epoch
        and l.destination = of_destination and l.seq >= of_seq order by l.seq limit 1) l;
    return;
  end if;
  state := case exception_.kind when 1 then 'dead_letter' when 2 then 'given_up'
                                else 'uncertain' end;
  at := exception_.at;
  reason := nullif(concat_ws(': ', nullif(exception_.code, ''), exception_.reason), '');
end $$;

-- What the network has told of one transaction: a row for each destination that has told of its
-- life, unless the transaction is addressed to others or the destination began behind it; one row
-- without a destination when there is none.
create function oltp20.told_of(of_xid xid8, of_epoch uuid, of_seq bigint)
returns table (ids uuid[], hub text, journaled_at timestamptz, rejected_at timestamptz,
  rejected_code text, rejected_reason text, destination text, state text, at timestamptz,
  reason text)
language sql stable security definer rows 2 cost 10000 set search_path = pg_catalog, pg_temp
set enable_seqscan = off set jit = off as $$
  select array(select o.id from message.outgoing o where o.xid = of_xid
               order by o.position limit 100),
         nullif(j.hub, 'at the fork'), j.at, x.at, x.code, x.reason,
         d.destination, d.state, d.at, d.reason
  from (select) one
  left join lateral (select c.at, c.hub from oltp20.checkpoint c
                     where c.epoch = of_epoch and c.seq >= of_seq order by c.seq limit 1) j on true
  left join oltp20.rejection x on x.epoch = of_epoch and x.seq = of_seq
  left join lateral (
    select 'spoke/' || r.destination as destination, o.state, o.at, o.reason
    from oltp20.receipt r, lateral oltp20.outcome_at(of_epoch, of_seq, r.destination) o
    where r.epoch = of_epoch and x.seq is null and o.state <> 'before'
      and oltp20.may_be_for(of_xid, r.destination, r.region)
  ) d on true
$$;

-- The transactions come out of the index from the newest on, and the functions are called for a row
-- when it is asked for: with a limit, for so many.
create view oltp20.delivery as
  select t.xid, p.epoch, p.seq, d.ids, p.captured_at, d.hub, d.journaled_at,
         d.journaled_at as stable_at,  -- with one hub what it holds is what every hub holds
         d.rejected_at, d.rejected_code, d.rejected_reason,
         d.destination, d.state, case when d.state = 'applied' then d.at end as applied_at,
         d.reason
  from (select distinct on (o.xid) o.xid from message.outgoing o order by o.xid desc) t
  left join lateral oltp20.place_of(t.xid) p on true
  left join lateral oltp20.told_of(t.xid, p.epoch, p.seq) d on true;

-- The newest transactions, or the newest before one: from transaction to transaction in the index,
-- however many rows they have.
create function oltp20.newest_transactions(most integer, before xid8) returns xid8[]
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off as $$
declare
  next_ xid8 := before;
  out_ xid8[] := '{}';
begin
  while cardinality(out_) < most loop
    if next_ is null then
      select o.xid into next_ from message.outgoing o order by o.xid desc limit 1;
    else
      select o.xid into next_ from message.outgoing o where o.xid < next_
        order by o.xid desc limit 1;
    end if;
    exit when next_ is null;
    out_ := out_ || next_;
  end loop;
  return out_;
end $$;

create function oltp20.deliveries(most integer default 20, before xid8 default null)
returns setof oltp20.delivery
language plpgsql stable security definer set search_path = pg_catalog, pg_temp set jit = off as $$
begin
  if most is null or most not between 1 and 1000 then
    raise exception 'ask for 1 to 1000 transactions at a time, not for %: the next ones are '
      'oltp20.deliveries(%, before => XID), with the lowest xid that came', quote_nullable(most),
      least(greatest(coalesce(most, 20), 1), 1000) using errcode = 'invalid_parameter_value';
  end if;
  return query
    select p.xid, p.epoch, p.seq, d.ids, p.captured_at, d.hub, d.journaled_at, d.journaled_at,
           d.rejected_at, d.rejected_code, d.rejected_reason, d.destination, d.state,
           case when d.state = 'applied' then d.at end, d.reason
    from oltp20.places_of(oltp20.newest_transactions(most, before)) p
    left join lateral oltp20.told_of(p.xid, p.epoch, p.seq) d on true
    order by p.xid desc, d.destination;
end $$;

-- ---- waiting -----------------------------------------------------------------------------------

-- How many rows wait_for() looks through for an id.
create function oltp20.rows_searched() returns integer
language sql immutable set search_path = pg_catalog, pg_temp as $$ select 100000 $$;

-- The transaction of a row. There is no index over ids, which every insert would pay for: the
-- newest rows are looked at, and no more than rows_searched(), since anybody may ask for an id that
-- there is not. With its xid a row of any age is found.
create function oltp20.transaction_of(row_id uuid, in_xid xid8 default null) returns xid8
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off as $$
begin
  if in_xid is not null then
    return (select o.xid from message.outgoing o
              where o.xid = in_xid and (row_id is null or o.id = row_id) limit 1);
  end if;
  return (select newest.xid from (
      select o.xid, o.id from message.outgoing o order by o.xid desc, o.position desc
        limit oltp20.rows_searched()) newest
    where newest.id = row_id limit 1);
end $$;

-- Why it will never come to this state, as far as is known; null when it may.
create function oltp20.why_never(of_xid xid8, of_epoch uuid, of_seq bigint, of_destination text)
returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  name text := substr(of_destination, 7);
  outcome record;
begin
  if not oltp20.may_be_for(of_xid, name, (select r.region from oltp20.receipt r
      where r.destination = name order by r.at desc limit 1)) then
    return format('none of its rows is addressed to %s', of_destination);
  elsif not exists (select from message.outgoing o where o.xid = of_xid
                    and not oltp20.receipts_are_off(o.type)) then
    return 'receipts are switched off for the types of its rows: select '
           'oltp20.set_receipts(''TYPE'', true)';
  end if;
  select o.* into outcome from oltp20.outcome_at(of_epoch, of_seq, name) o;
  return case when outcome.state in ('before', 'uncertain') then outcome.reason
              when outcome.state = 'given_up' then 'an operator there gave it up: '
                                                   || coalesce(outcome.reason, '') end;
end $$;

-- reached, rejected, dead_letter, or null: not yet.
create function oltp20.wait_answer(of_epoch uuid, of_seq bigint, of_state text,
  of_destination text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  told text;
begin
  if of_state = 'captured' then
    return 'reached';
  elsif exists (select from oltp20.rejection r where r.epoch = of_epoch and r.seq = of_seq) then
    return 'rejected';
  elsif of_state in ('journaled', 'stable') then
    return case when exists (select from oltp20.checkpoint c where c.epoch = of_epoch
                             and c.seq >= of_seq) then 'reached' end;
  end if;
  select o.state into told from oltp20.outcome_at(of_epoch, of_seq, substr(of_destination, 7)) o;
  return case told when 'applied' then 'reached' when 'dead_letter' then 'dead_letter' end;
end $$;

-- The shared lock tells the agent that somebody waits: it then writes at once what it learns. It
-- costs no transaction id, and goes with the transaction, whatever becomes of the session. It is
-- only tried, since any login could hold it.
create procedure oltp20.wait_for(id uuid, state text, destination text default null,
  timeout interval default '10 s', inout result text default null, xid xid8 default null)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  begun constant timestamptz := clock_timestamp();
  waited interval;
  of_xid xid8;
  place record;
  why text;
  announced boolean := false;
begin
  result := null;
  if state is null or state not in ('captured', 'journaled', 'stable', 'applied') then
    raise exception 'wait for ''captured'', ''journaled'', ''stable'' or ''applied'', not for %',
      quote_nullable(state) using errcode = 'invalid_parameter_value';
  elsif (state = 'applied') <> (destination is not null) then
    raise exception 'name the destination, as in ''spoke/NAME'', when you wait for ''applied'', '
      'and only then' using errcode = 'invalid_parameter_value';
  elsif destination !~ '^spoke/[A-Za-z0-9._-]{1,63}$' then
    raise exception 'wait for one spoke, as in ''spoke/NAME'', not for %',
      quote_literal(destination) using errcode = 'invalid_parameter_value';
  elsif timeout is null or timeout < interval '0' then
    raise exception 'the timeout is an interval such as ''10 s'', not %', quote_nullable(timeout)
      using errcode = 'invalid_parameter_value';
  elsif current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'this transaction is % and would never see what it waits for: wait in one that '
      'is READ COMMITTED', upper(current_setting('transaction_isolation'))
      using errcode = 'invalid_transaction_state';
  end if;
  of_xid := oltp20.transaction_of(id, xid);
  if of_xid is null and xid is null then
    raise exception 'no committed row of message.outgoing has the id %, as far as the newest % rows '
      'go: its transaction has not been committed, or retention has removed it, or it is older: '
      'then say its transaction, too, as the argument xid => XID', quote_nullable(id),
      oltp20.rows_searched() using errcode = 'no_data_found';
  elsif of_xid is null then
    raise exception 'transaction % has no committed row % in message.outgoing: it has not been '
      'committed, or retention has removed it, or the row is of another one', xid,
      coalesce('with the id ' || id, 'at all') using errcode = 'no_data_found';
  elsif of_xid = pg_current_xact_id_if_assigned() then
    raise exception 'row % belongs to this very transaction, which nobody sees before it is '
      'committed: commit, then wait', id using errcode = 'invalid_transaction_state';
  end if;
  loop
    announced := announced or pg_try_advisory_xact_lock_shared(2129440, 3);
    select p.* into place from oltp20.place_of(of_xid) p;
    exit when place.seq is not null;
    waited := clock_timestamp() - begun;
    if waited >= timeout then
      result := 'timeout';
      return;
    end if;
    perform pg_sleep(case when waited < interval '1 s' then 0.003 else 0.01 end);
  end loop;
  loop
    announced := announced or pg_try_advisory_xact_lock_shared(2129440, 3);
    result := oltp20.wait_answer(place.epoch, place.seq, state, destination);
    if result is not null then
      return;
    end if;
    if state = 'applied' then
      why := oltp20.why_never(of_xid, place.epoch, place.seq, destination);
      if why is not null then
        raise exception '% will not tell that it has applied transaction % (seq %): %',
          destination, of_xid, place.seq, why using errcode = 'object_not_in_prerequisite_state';
      end if;
    end if;
    waited := clock_timestamp() - begun;
    if waited >= timeout then
      result := 'timeout';
      return;
    end if;
    perform pg_sleep(case when waited < interval '1 s' then 0.003 else 0.01 end);
    if oltp20.current_epoch() <> place.epoch then  -- captured again, perhaps, in another life
      select p.* into place from oltp20.place_of(of_xid) p;
    end if;
  end loop;
end $$;

-- ---- what they are for, and whose --------------------------------------------------------------

comment on view oltp20.not_applied is
  'What of other databases marks here have passed without applying it: dead letters, and what was '
  'given up with close_gap().';
comment on table oltp20.receipt is
  'How far each destination has applied each life of this database, as it said last.';
comment on view oltp20.delivery is
  'What became of each transaction in the outbox, by destination. Times are those of the first '
  'receipt or checkpoint that covers it. Ask for one xid, or for the newest with '
  'oltp20.deliveries(20): each row of the view reads the whole tick of its transaction.';
comment on function oltp20.deliveries(integer, xid8) is
  'What became of the newest transactions, 20 or so many, or of the newest before one: the rows of '
  'oltp20.delivery, from the newest on.';
comment on function oltp20.set_receipts(text, boolean) is
  'Switches receipts of types off or on, by pattern, as in (''price.>'', false).';
comment on function oltp20.place_of(xid8) is
  'In which life, and under which number there, a transaction travels; nulls while it is not '
  'captured.';
comment on procedure oltp20.wait_for(uuid, text, text, interval, text, xid8) is
  'Waits until the transaction of the row with this id is captured, journaled, stable, or applied '
  'at spoke/NAME; answers reached, timeout, rejected or dead_letter. The id is looked for '
  'among the newest 100,000 rows; with xid => XID of any age, and the id may be null.';

revoke all on oltp20.not_applied, oltp20.receipt, oltp20.receipt_log, oltp20.receipt_exception,
  oltp20.receipt_off, oltp20.delivery from public;
revoke all on function
  oltp20.record_receipt(text, text, uuid, uuid, bigint, bigint, bigint, text),
  oltp20.record_receipt_exception(text, uuid, bigint, bigint, integer, text, text),
  oltp20.prune_receipts(integer, interval), oltp20.set_receipts(text, boolean),
  oltp20.receipts_are_off(text), oltp20.ranks_in_tick(bigint, xid8[]), oltp20.tick_of(xid8),
  oltp20.places_of(xid8[]), oltp20.place_of(xid8), oltp20.told_of(xid8, uuid, bigint),
  oltp20.newest_transactions(integer, xid8), oltp20.deliveries(integer, xid8),
  oltp20.rows_searched(),
  oltp20.may_be_for(xid8, text, text), oltp20.outcome_at(uuid, bigint, text),
  oltp20.transaction_of(uuid, xid8), oltp20.why_never(xid8, uuid, bigint, text),
  oltp20.wait_answer(uuid, bigint, text, text) from public;
revoke all on procedure oltp20.wait_for(uuid, text, text, interval, text, xid8) from public;

grant select on oltp20.receipt, oltp20.delivery to oltp20_application, oltp20_admin;
grant select on oltp20.receipt_log, oltp20.receipt_exception, oltp20.receipt_off,
  oltp20.not_applied to oltp20_admin;
grant execute on function oltp20.place_of(xid8), oltp20.told_of(xid8, uuid, bigint),
  oltp20.deliveries(integer, xid8), oltp20.rows_searched(), oltp20.may_be_for(xid8, text, text),
  oltp20.outcome_at(uuid, bigint, text), oltp20.transaction_of(uuid, xid8),
  oltp20.why_never(xid8, uuid, bigint, text), oltp20.wait_answer(uuid, bigint, text, text)
  to oltp20_application, oltp20_admin;
grant execute on procedure oltp20.wait_for(uuid, text, text, interval, text, xid8)
  to oltp20_application, oltp20_admin;
grant execute on function oltp20.set_receipts(text, boolean) to oltp20_admin;

grant select on oltp20.not_applied, oltp20.receipt_off to oltp20_agent;
grant execute on function
  oltp20.record_receipt(text, text, uuid, uuid, bigint, bigint, bigint, text),
  oltp20.record_receipt_exception(text, uuid, bigint, bigint, integer, text, text),
  oltp20.prune_receipts(integer, interval) to oltp20_agent;
