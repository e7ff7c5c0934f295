-- Retention: the ring turns, and its idle children are emptied by TRUNCATE, never by DELETE.

create table oltp20.rotation (
  slot smallint not null,
  at timestamptz not null default clock_timestamp()
);
insert into oltp20.rotation values (0);

-- Jumps of the wall clock that the agent saw: nothing is pruned by age until the horizon has passed
-- once more since then.
create table oltp20.clock_jump (
  at timestamptz not null default clock_timestamp(),
  seconds double precision not null
);
create table oltp20.retention_run (at timestamptz not null default clock_timestamp());

create function oltp20.current_epoch() returns uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as
$$ select id from oltp20.epoch order by number desc limit 1 $$;

create function oltp20.stable_seq(epoch_id uuid) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as
$$ select coalesce((select max(seq) from oltp20.checkpoint where epoch = epoch_id), 0) $$;

-- Makes the next child of the ring current, if it is empty and the current one has been so for
-- `after`. Says whether it did.
create function oltp20.rotate(after interval) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  next_slot integer := (pg_sequence_last_value('oltp20.slot') + 1) % 4;
  occupied boolean;
begin
  if (select max(at) from oltp20.rotation) > clock_timestamp() - after then
    return false;
  end if;
  execute format('select exists (select from message.outgoing_%s) '
                 'or exists (select from oltp20.marker_%s)', next_slot, next_slot) into occupied;
  if occupied then
    return false;
  end if;
  perform setval('oltp20.slot', next_slot, true);
  delete from oltp20.rotation;
  insert into oltp20.rotation values (next_slot);
  return true;
end $$;

-- The last tick whose transactions, and all before them, nobody needs any more: stable, older than
-- the horizon, and every ancestor's life settled. Null when there is none.
create function oltp20.prunable_tick(horizon interval) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with recursive lives as (
    select e.*, 1 as age from oltp20.epoch e where e.id = oltp20.current_epoch()
    union all
    select p.*, l.age + 1 from lives l join oltp20.epoch p on p.id = l.parent
  )
  select max(t.number) from oltp20.tick t
  where t.epoch = oltp20.current_epoch()
    and t.last <= oltp20.stable_seq(t.epoch)
    and t.taken_at < clock_timestamp() - horizon
    and not exists (select from oltp20.clock_jump j where j.at > clock_timestamp() - horizon)
    and not exists (
      select from lives child
      where child.parent is not null
        and oltp20.stable_seq(child.parent) < child.fork_seq
        and not exists (select from oltp20.settled_epoch s where s.id = child.parent))
$$;

-- Whether every row of a child was captured by this tick or an earlier one.
create function oltp20.slot_is_captured(slot integer, tick_number bigint) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  captured boolean;
begin
  execute format(
    'select not exists (select from message.outgoing_%s o, oltp20.tick t where t.number = $1 '
    'and o.xid >= pg_snapshot_xmin(t.snapshot) and not pg_visible_in_snapshot(o.xid, t.snapshot))',
    slot) into captured using tick_number;
  return captured;
end $$;

-- Empties an idle child. Fails with lock_not_available while a transaction that wrote to it is
-- open; returns why nothing was done, or '' when it was.
create function oltp20.prune_slot(slot integer, horizon interval) returns text
language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
declare
  newest bigint;
  low bigint;
  high bigint;
  middle bigint;
  occupied boolean;
begin
  if slot = pg_sequence_last_value('oltp20.slot') then
    return 'current';
  end if;
  execute format('select exists (select from message.outgoing_%s) '
                 'or exists (select from oltp20.marker_%s)', slot, slot) into occupied;
  if not occupied then
    return 'empty';
  end if;
  newest := oltp20.prunable_tick(horizon);
  if newest is null then
    return 'nothing is stable and older than the horizon';
  end if;
  execute format('lock table message.outgoing_%s, oltp20.marker_%s in access exclusive mode',
                 slot, slot);
  if not oltp20.slot_is_captured(slot, newest) then
    return 'rows are not yet stable and older than the horizon';
  end if;
  -- The first tick that covers the child: what came before it is no longer whole.
  select min(number), newest into low, high from oltp20.tick
    where epoch = oltp20.current_epoch();
  while low < high loop
    middle := (low + high) / 2;
    select max(number) into middle from oltp20.tick where number <= middle;
    if oltp20.slot_is_captured(slot, middle) then
      high := middle;
    else
      select min(number) into low from oltp20.tick where number > middle;
    end if;
  end loop;
  perform set_config('oltp20.retention', pg_current_xact_id()::text, true);
  execute format('truncate message.outgoing_%s, oltp20.marker_%s', slot, slot);
  perform set_config('oltp20.retention', '', true);
  insert into oltp20.pruned (epoch, seq, tick, slot)
    select epoch, last, number, prune_slot.slot from oltp20.tick where number = high;
  return '';
end $$;

-- Forgets ticks and checkpoints that only pruned transactions needed. The newest of them stay: a
-- new life may begin from there.
create function oltp20.prune_history(horizon interval) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  done oltp20.pruned;
begin
  select p.* into done from oltp20.pruned p where p.epoch = oltp20.current_epoch()
    order by p.seq desc limit 1;
  if done.epoch is not null then
    delete from oltp20.tick where number < done.tick and taken_at < clock_timestamp() - horizon;
    delete from oltp20.pruned p where p.epoch = done.epoch and p.seq < done.seq;
  end if;
  delete from oltp20.checkpoint c
    where c.at < clock_timestamp() - horizon
      and c.seq < (select max(k.seq) from oltp20.checkpoint k
                   where k.epoch = c.epoch
                     and (k.epoch <> done.epoch or k.seq <= done.seq));
  delete from oltp20.clock_jump where at < clock_timestamp() - 2 * horizon;
  delete from oltp20.retention_run
    where at < (select max(at) from oltp20.retention_run);
end $$;

-- For the inbox, by an administrator: ids are needed for as long as forks may overlap.
create function oltp20.prune_incoming(older_than interval, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  removed bigint;
begin
  perform set_config('oltp20.retention', pg_current_xact_id()::text, true);
  delete from message.incoming where ctid = any (array(
    select ctid from message.incoming where received_at < clock_timestamp() - older_than
    limit most));
  get diagnostics removed = row_count;
  perform set_config('oltp20.retention', '', true);
  return removed;
end $$;

create function oltp20.settle_epoch(epoch_id uuid, reason text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into oltp20.settled_epoch (id, reason) values (epoch_id, reason) on conflict do nothing
$$;
