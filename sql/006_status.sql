-- One row for people and monitoring.

create view oltp20.status as
  with life as (select oltp20.current_epoch() as epoch),
       last_tick as (select * from oltp20.tick order by number desc limit 1)
  select
    (select value from oltp20.setting where name = 'order') as order_mode,
    (select max(number) from oltp20.migration) as schema_version,
    life.epoch,
    t.number as last_tick,
    t.taken_at as last_tick_at,
    t.last as captured_seq,
    oltp20.stable_seq(life.epoch) as stable_seq,
    -- Not what an old transaction has kept in sight of the snapshot and is captured.
    (select count(*) from message.outgoing o where o.xid >= pg_snapshot_xmax(t.snapshot))
      + (select count(*) from message.outgoing o
           where o.xid = any (array(select pg_snapshot_xip(t.snapshot)))) as rows_waiting,
    (select coalesce(max(p.seq), 0) from oltp20.pruned p where p.epoch = life.epoch)
      as pruned_seq,
    (select c.rejections from oltp20.rejection_count c) as rejected,
    (select count(*) from oltp20.gap where closed_at is null) as open_gaps,
    (select count(*) from oltp20.dead_letter where retried_at is null and discarded_at is null)
      as dead_letters,
    (select count(*) from oltp20.mark) as origins
  from life, last_tick t;
