-- Refused transactions, published again as new ones: a mistake in policy costs nobody a payment.

create table oltp20.resent (
  epoch uuid not null,
  seq bigint not null,
  xid xid8 not null default pg_current_xact_id(),
  resent_by text not null default session_user,
  at timestamptz not null default clock_timestamp(),
  primary key (epoch, seq, xid),
  foreign key (epoch, seq) references oltp20.rejection on delete cascade
);
create index resent_at on oltp20.resent (at);

create or replace view oltp20.rejected as
  select r.epoch, r.seq, r.xid, r.code, r.reason, r.at,
         (select array_agg(f.id order by f.position) from (
            select o.id, o.position from message.outgoing o where o.xid = r.xid
              order by o.position limit 100) f) as ids,
         (select max(s.at) from oltp20.resent s where (s.epoch, s.seq) = (r.epoch, r.seq))
           as resent_at
  from oltp20.rejection r;
comment on view oltp20.rejected is
  'Transactions of this database that the network refused, why, and when they were resent last. '
  'ids are the first 100; null when retention has removed the rows.';

-- Whole or not at all. The rejection is locked, so that two who resend at once do not both.
create function oltp20.resend_rejected(epoch uuid, seq bigint, again boolean default false)
returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  refused oltp20.rejection;
  before oltp20.resent;
  rows bigint;
begin
  select r.* into refused from oltp20.rejection r
    where r.epoch = resend_rejected.epoch and r.seq = resend_rejected.seq for update;
  if refused.epoch is null then
    raise exception 'no transaction % of the life % was refused: select * from oltp20.rejected',
      resend_rejected.seq, resend_rejected.epoch using errcode = 'no_data_found';
  end if;
  select s.* into before from oltp20.resent s
    where s.epoch = refused.epoch and s.seq = refused.seq order by s.at desc limit 1;
  if before.epoch is not null and again is not true then
    raise exception 'transaction % was resent by % at % already. To send it once more: select '
      'oltp20.resend_rejected(%, %, again => true)', refused.seq, before.resent_by, before.at,
      quote_literal(refused.epoch), refused.seq using errcode = 'duplicate_object';
  end if;
  if exists (select from oltp20.pruned p where p.epoch = refused.epoch and p.seq >= refused.seq)
     or not exists (select from message.outgoing o where o.xid = refused.xid) then
    raise exception 'transaction % of the life % is no longer whole in the outbox: retention has '
      'removed it. Insert its rows anew', refused.seq, refused.epoch
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  insert into oltp20.resent (epoch, seq) values (refused.epoch, refused.seq);
  insert into message.outgoing (type, date, payload, headers, destination)
    select o.type, o.date, o.payload, o.headers, o.destination from message.outgoing o
    where o.xid = refused.xid order by o.position;
  get diagnostics rows = row_count;
  return rows;
end $$;
comment on function oltp20.resend_rejected(uuid, bigint, boolean) is
  'Publishes a refused transaction again, whole, as a new one, and says how many rows it has: '
  'select oltp20.resend_rejected(epoch, seq) from oltp20.rejected where resent_at is null.';

-- How long a refusal is kept that nobody has dealt with: its rows are gone long before.
create function oltp20.rejections_kept_for() returns interval
language sql immutable set search_path = pg_catalog, pg_temp as $$ select interval '90 days' $$;

-- Forgets refusals that were resent a horizon ago, and others after 90 days, but none whose rows are
-- in the outbox still: oltp20.delivery would call them applied. Looks at `most` of each, the oldest,
-- and says how many went.
create function oltp20.prune_rejections(horizon interval, most integer) returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp set lock_timeout = '50ms'
set enable_seqscan = off set jit = off as $$
declare
  removed bigint;
begin
  if exists (select from oltp20.clock_jump j where j.at > statement_timestamp() - horizon) then
    return 0;
  end if;
  delete from oltp20.rejection r
    using (
      select s.epoch, s.seq from (
          select e.epoch, e.seq, e.at from oltp20.resent e
            where e.at < statement_timestamp() - horizon order by e.at limit most) s
        where not exists (select from oltp20.resent later where later.epoch = s.epoch
                            and later.seq = s.seq and later.at > s.at)
      union
      select s.epoch, s.seq from (
          select e.epoch, e.seq from oltp20.rejection e
            where e.at < statement_timestamp() - greatest(horizon, oltp20.rejections_kept_for())
            order by e.at limit most) s
    ) old
    where r.epoch = old.epoch and r.seq = old.seq
      and not exists (select from message.outgoing o where o.xid = r.xid);
  get diagnostics removed = row_count;
  return removed;
exception when lock_not_available then
  return 0;  -- somebody resends, or the agent writes one down; the next run comes in half a minute
end $$;

revoke all on function oltp20.resend_rejected(uuid, bigint, boolean),
  oltp20.rejections_kept_for(), oltp20.prune_rejections(interval, integer) from public;
revoke all on oltp20.resent from public;
grant select on oltp20.resent to oltp20_agent, oltp20_admin;
grant execute on function oltp20.resend_rejected(uuid, bigint, boolean) to oltp20_admin;
grant execute on function oltp20.prune_rejections(interval, integer) to oltp20_agent;
