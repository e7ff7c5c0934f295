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

-- The clock was seen to have jumped. What was dated while it ran ahead is dated now: it is as old
-- as that at least, and would else wait for a date that is years away.
create function oltp20.clock_jumped(seconds double precision) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  update oltp20.clock_jump set at = clock_timestamp() where at > clock_timestamp();
  update oltp20.retention_run set at = clock_timestamp() where at > clock_timestamp();
  update oltp20.rotation set at = clock_timestamp() where at > clock_timestamp();
  update oltp20.checkpoint set at = clock_timestamp() where at > clock_timestamp();
  update oltp20.tick set taken_at = clock_timestamp() where taken_at > clock_timestamp();
  update oltp20.rejection set at = clock_timestamp() where at > clock_timestamp();
  insert into oltp20.clock_jump (seconds) values ($1);
$$;

-- The life of before that was never confirmed up to the point where its successor forked, and that
-- nobody has settled; null when there is none.
create function oltp20.unsettled_life() returns uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with recursive lives as (
    select e.* from oltp20.epoch e where e.id = oltp20.current_epoch()
    union all
    select p.* from lives l join oltp20.epoch p on p.id = l.parent
  )
  select child.parent from lives child
  where child.parent is not null
    and oltp20.stable_seq(child.parent) < child.fork_seq
    and not exists (select from oltp20.settled_epoch s where s.id = child.parent)
  limit 1
$$;

-- The last tick whose transactions, and all before them, nobody needs any more: stable, older than
-- the horizon, and every ancestor's life settled. Null when there is none. Numbers, seqs and times
-- of ticks grow together, so the lower of two bounds is that tick, and no other is read.
create function oltp20.prunable_tick(horizon interval) returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select min(bound) from (
    select (select t.number from oltp20.tick t
            where t.epoch = life.id and t.last <= oltp20.stable_seq(life.id)
            order by t.last desc limit 1) as bound
    from oltp20.current_epoch() as life (id)
    union all
    select (select t.number from oltp20.tick t
            where t.epoch = life.id and t.taken_at < statement_timestamp() - horizon
            order by t.taken_at desc, t.number desc limit 1)
    from oltp20.current_epoch() as life (id)
  ) as bounds
  having count(bound) = 2
    and not exists (select from oltp20.clock_jump j where j.at > statement_timestamp() - horizon)
    and oltp20.unsettled_life() is null
$$;

-- Why there is none. What time and the hub will bring by themselves begins with 'not yet'.
create function oltp20.why_not_prunable(horizon interval) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  jump timestamptz := (select max(at) from oltp20.clock_jump);
  life uuid := oltp20.unsettled_life();
begin
  if jump > statement_timestamp() - horizon then
    return format('the clock jumped; nothing is judged by its age before %s', jump + horizon);
  elsif life is not null then
    return format('the life %s of before was never confirmed up to the fork. When what it still '
                  'holds may go: select oltp20.settle_epoch(%L, ''why'')', life, life);
  end if;
  return 'not yet stable and older than the horizon';
end $$;

-- Whether every row of a child, and every number that orders a transaction, was captured by this
-- tick or an earlier one. A number may lie in another child than its transaction's rows.
create function oltp20.slot_is_captured(slot integer, tick_number bigint) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  captured boolean;
begin
  execute format(
    'select not exists (select from message.outgoing_%1$s o where o.xid >= pg_snapshot_xmin('
    't.snapshot) and not pg_visible_in_snapshot(o.xid, t.snapshot)) '
    'and not exists (select from oltp20.marker_%1$s m where m.xid >= '
    'pg_snapshot_xmin(t.snapshot) and not pg_visible_in_snapshot(m.xid, t.snapshot)) '
    'from oltp20.tick t where t.number = $1', slot) into captured using tick_number;
  return captured;
end $$;

-- Empties an idle child. Fails with lock_not_available while a transaction that reads or wrote it
-- is open; returns why nothing was done, or '' when it was.
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
    return oltp20.why_not_prunable(horizon);
  end if;
  execute format('lock table message.outgoing_%s, oltp20.marker_%s in access exclusive mode',
                 slot, slot);
  if not oltp20.slot_is_captured(slot, newest) then
    return 'not yet stable and older than the horizon';
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

-- Empties the rows of first rounds (see 001_outbox.sql) when there are some 300,000 of them. Commits
-- wait while it has the table for itself.
create function oltp20.empty_round() returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
begin
  if pg_relation_size('oltp20.round') > 8388608 then
    truncate oltp20.round;
  end if;
exception when lock_not_available then
  null;  -- a transaction is at its end; the next run comes in half a minute
end $$;

-- Forgets ticks and checkpoints that only pruned transactions needed. The newest of them stay: a
-- new life may begin from there.
create function oltp20.prune_history(horizon interval) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '50ms' as $$
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
  if (select max(at) from oltp20.overlap_reach) < clock_timestamp() - interval '1 day' then
    begin
      truncate oltp20.overlap_reach, oltp20.overlap_id;
    exception when lock_not_available then
      null;  -- in use; the next run comes in half a minute
    end;
  end if;
  perform oltp20.empty_round();
end $$;

-- For the inbox, by an administrator: ids are needed for as long as forks may overlap.
create function oltp20.prune_incoming(older_than interval, most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  removed bigint;
  parts bigint;
begin
  perform set_config('oltp20.retention', pg_current_xact_id()::text, true);
  delete from message.incoming where ctid = any (array(
    select ctid from message.incoming where received_at < clock_timestamp() - older_than
    limit most));
  get diagnostics removed = row_count;
  perform set_config('oltp20.retention', '', true);
  delete from oltp20.applied_part where ctid = any (array(
    select ctid from oltp20.applied_part where applied_at < clock_timestamp() - older_than
    limit most));
  get diagnostics parts = row_count;
  return removed + parts;
end $$;

create function oltp20.settle_epoch(epoch_id uuid, reason text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into oltp20.settled_epoch (id, reason) values (epoch_id, reason) on conflict do nothing
$$;
