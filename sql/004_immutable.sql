-- Outbox and inbox take inserts only; only retention, a function of the owner, may remove.

create function oltp20.refuse() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  box text := case when tg_table_name like 'outgoing%' then 'message.outgoing'
                   else 'message.incoming' end;
begin
  if tg_op <> 'UPDATE' and current_setting('oltp20.retention', true) = pg_current_xact_id()::text
     and current_user = (select relowner::regrole::text from pg_class where oid = tg_relid) then
    return old;
  end if;
  if box = 'message.outgoing' then
    raise exception 'message.outgoing takes inserts only: other databases may already have what '
      'is in it. Insert a correcting message instead (% refused)', tg_op
      using errcode = 'restrict_violation';
  end if;
  raise exception 'message.incoming takes inserts only: it is the record of what arrived. Keep '
    'your own state in a table of your own (% refused)', tg_op
    using errcode = 'restrict_violation';
end $$;

create trigger refuse before update or delete on message.outgoing
  for each row execute function oltp20.refuse();
create trigger refuse before update or delete on message.incoming
  for each row execute function oltp20.refuse();
create trigger refuse_truncate before truncate on message.outgoing
  for each statement execute function oltp20.refuse();
create trigger refuse_truncate before truncate on message.incoming
  for each statement execute function oltp20.refuse();

do $$
begin
  for slot in 0 .. 3 loop
    execute format('create trigger refuse_truncate before truncate on message.outgoing_%s '
                   'for each statement execute function oltp20.refuse()', slot);
    execute format('alter table message.outgoing_%s enable always trigger refuse', slot);
    execute format('alter table message.outgoing_%s enable always trigger refuse_truncate', slot);
  end loop;
  alter table message.outgoing enable always trigger refuse;
  alter table message.outgoing enable always trigger refuse_truncate;
  alter table message.incoming enable always trigger refuse;
  alter table message.incoming enable always trigger refuse_truncate;
end $$;
