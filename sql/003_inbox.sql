-- The inbox: message.incoming, and how far this database is with every origin and every hub.

create table message.incoming (
  origin text collate "C" not null,
  epoch uuid not null,
  seq bigint not null,
  position integer not null,
  id uuid not null,
  type text collate "C" not null,
  date date,
  payload text,
  headers jsonb,
  destination text collate "C",
  sent_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  primary key (origin, epoch, seq, position)
);

create table oltp20.mark (
  origin text collate "C" not null,
  epoch uuid not null,
  base bigint not null,
  seq bigint not null,
  primary key (origin, epoch)
) with (fillfactor = 50);

create table oltp20.known_epoch (
  origin text collate "C" not null,
  epoch uuid not null,
  parent uuid not null,
  fork_seq bigint not null,
  fork_chain bytea not null,
  learnt_at timestamptz not null default clock_timestamp(),
  primary key (origin, epoch)
);

create table oltp20.stream_position (
  hub text collate "C" primary key,
  incarnation uuid not null,
  lsn bigint not null,
  hash bytea not null
) with (fillfactor = 10);

-- What came into tables of the application instead: a row a run of rows of one table.
create table oltp20.applied_part (
  origin text collate "C" not null,
  epoch uuid not null,
  seq bigint not null,
  position integer not null,  -- of the first of them in their transaction
  ids uuid[] not null,
  applied_at timestamptz not null default clock_timestamp(),
  primary key (origin, epoch, seq, position)
);

-- Ids that an origin's earlier life brought, to compare those of a fork with. Filled from
-- message.incoming and applied_part when they are first asked for, and further with each question, so that neither
-- an index on all ids nor reading the old life again for each group is needed. Unlogged, and
-- emptied when nobody has added to it for a day: it is filled anew.
create unlogged table oltp20.overlap_id (
  origin text collate "C" not null,
  epoch uuid not null,
  id uuid not null,
  seq bigint not null,
  primary key (origin, epoch, id)
);
create unlogged table oltp20.overlap_reach (  -- what of the two is in it: (after, seq]
  origin text collate "C" not null,
  epoch uuid not null,
  after bigint not null,
  seq bigint not null,
  at timestamptz not null default clock_timestamp(),
  primary key (origin, epoch)
);

create function oltp20.fill_overlap(of_origin text, of_epoch uuid, above bigint, up_to bigint)
returns void language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into oltp20.overlap_id as o (origin, epoch, id, seq)
    select of_origin, of_epoch, i.id, max(i.seq) from (
        select m.id, m.seq from message.incoming m
          where m.origin = of_origin and m.epoch = of_epoch and m.seq > above and m.seq <= up_to
        union all
        select unnest(p.ids), p.seq from oltp20.applied_part p
          where p.origin = of_origin and p.epoch = of_epoch and p.seq > above and p.seq <= up_to
      ) as i
      group by i.id
    on conflict (origin, epoch, id) do update set seq = greatest(o.seq, excluded.seq)
$$;

-- Which of these ids rows of (origin, epoch) behind seq `behind` have. Rows of one life arrive in
-- the order of their seq; whoever inserts some later deletes the life's row of overlap_reach.
create function oltp20.known_ids(of_origin text, of_epoch uuid, behind bigint, ids uuid[])
returns setof uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  reach oltp20.overlap_reach;
  newest bigint;
begin
  select r.* into reach from oltp20.overlap_reach r
    where r.origin = of_origin and r.epoch = of_epoch;
  select i.seq into newest from message.incoming i where i.origin = of_origin
    and i.epoch = of_epoch order by i.seq desc limit 1;
  newest := greatest(newest, behind, (
    select p.seq from oltp20.applied_part p where p.origin = of_origin and p.epoch = of_epoch
    order by p.seq desc limit 1));
  if reach.origin is null then
    perform oltp20.fill_overlap(of_origin, of_epoch, behind, newest);
    insert into oltp20.overlap_reach values (of_origin, of_epoch, behind, newest);
  elsif newest > reach.seq or behind < reach.after then
    perform oltp20.fill_overlap(of_origin, of_epoch, reach.seq, newest),
            oltp20.fill_overlap(of_origin, of_epoch, behind, reach.after);
    update oltp20.overlap_reach r set after = least(r.after, behind),
                                      seq = greatest(r.seq, newest), at = clock_timestamp()
      where r.origin = of_origin and r.epoch = of_epoch;
  end if;
  -- One probe of the key for each, whatever the planner believes of a table just filled.
  return query select wanted.id from unnest(ids) as wanted (id)
    where (select o.seq from oltp20.overlap_id o where o.origin = of_origin
           and o.epoch = of_epoch and o.id = wanted.id) > behind;
end $$;

-- What lies in (from_seq, to_seq] has not come; the origin is held back until it is closed. With an
-- empty origin: lsns of the hub's stream, of which nobody can say whose they were.
create table oltp20.gap (
  id bigint generated always as identity primary key,
  origin text collate "C" not null,
  epoch uuid not null,
  from_seq bigint not null,
  to_seq bigint not null,
  hub text collate "C" not null,
  before_incarnation uuid not null,
  before_lsn bigint not null,
  before_hash bytea not null,
  reason text not null,
  found_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz,
  closed_by text,
  close_reason text,
  given_up boolean not null default false  -- closed, and the mark has passed it
);
create unique index gap_open on oltp20.gap (origin, epoch)
  where closed_at is null and origin <> '';

create table oltp20.dead_letter (
  origin text collate "C" not null,
  epoch uuid not null,
  seq bigint not null,
  sqlstate text not null,
  error text not null,
  put_aside_at timestamptz not null default clock_timestamp(),
  retry_wanted_at timestamptz,  -- the agent does it
  retry_wanted_by text,
  retry_failed_at timestamptz,  -- the error is that of the last attempt
  retried_at timestamptz,       -- applied
  retried_by text,
  discarded_at timestamptz,
  discarded_by text,
  discard_reason text,
  primary key (origin, epoch, seq)
);
create index dead_letter_open on oltp20.dead_letter (put_aside_at)
  where retried_at is null and discarded_at is null;
create table oltp20.dead_letter_part (
  origin text collate "C" not null,
  epoch uuid not null,
  seq bigint not null,
  part integer not null,
  content bytea not null,
  primary key (origin, epoch, seq, part),
  foreign key (origin, epoch, seq) references oltp20.dead_letter on delete cascade
);

-- Which life of this database receipts speak of; a new one when it is seen to be restored.
create table oltp20.database_life (
  number bigint generated always as identity primary key,
  incarnation uuid not null default gen_random_uuid(),
  system_identifier text not null,
  timeline bigint not null,
  begun_at timestamptz not null default clock_timestamp()
);

create function oltp20.reopen_stream(hole oltp20.gap, reason text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update oltp20.stream_position p set lsn = hole.before_lsn, hash = hole.before_hash
    where hole.origin <> '' and p.hub = hole.hub and p.incarnation = hole.before_incarnation
      and p.lsn > hole.before_lsn;
  update oltp20.gap g set closed_at = clock_timestamp(), closed_by = session_user,
                          close_reason = reopen_stream.reason,
                          given_up = exists (select from oltp20.mark m
                            where m.origin = hole.origin and m.epoch = hole.epoch
                              and m.seq >= hole.to_seq)
    where g.id = hole.id;
  notify oltp20_inbox;
end $$;

-- An operator gives up what lies in the gap: the mark moves behind it, and the hub's stream is
-- taken up again where the origin was held back. The agent's next compare-and-set fails, and it
-- reads its state again.
create function oltp20.close_gap(gap_id bigint, reason text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  hole oltp20.gap;
begin
  if coalesce(close_gap.reason, '') = '' then
    raise exception 'closing a gap gives up transactions: say why, as the second argument'
      using errcode = 'invalid_parameter_value';
  end if;
  select * into hole from oltp20.gap g where g.id = gap_id for update;
  if hole.id is null or hole.closed_at is not null then
    raise exception 'there is no open gap %: select * from oltp20.gap where closed_at is null',
      gap_id using errcode = 'no_data_found';
  end if;
  if hole.origin <> '' then
    insert into oltp20.mark as m (origin, epoch, base, seq)
      values (hole.origin, hole.epoch, hole.to_seq, hole.to_seq)
      on conflict (origin, epoch) do update set seq = greatest(m.seq, excluded.seq);
  end if;
  perform oltp20.reopen_stream(hole, close_gap.reason);
end $$;

-- What was in the gap's way has been mended: the origin is taken up again where it was held back,
-- and nothing is given up.
create function oltp20.retry_gap(gap_id bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  hole oltp20.gap;
begin
  select * into hole from oltp20.gap g where g.id = gap_id for update;
  if hole.id is null or hole.closed_at is not null or hole.origin = '' then
    raise exception 'there is no open gap % of an origin: select * from oltp20.gap where '
      'closed_at is null', gap_id using errcode = 'no_data_found';
  end if;
  perform oltp20.reopen_stream(hole, 'tried again');
end $$;
