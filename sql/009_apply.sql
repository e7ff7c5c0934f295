-- What arrives goes into tables and to functions of the application: the registry, how rows are
-- applied, drift. See README.md.

-- One row. The agent keeps a copy of what is registered, and compares the version in the statement
-- that moves a mark.
create table oltp20.registry (version bigint not null);
insert into oltp20.registry values (1);

create table oltp20.accepted (
  type text collate "C" primary key,
  relation regclass not null,
  number bigint not null unique,  -- its function is oltp20_handler.a_<number>
  accepted_by text not null default session_user,
  accepted_at timestamptz not null default clock_timestamp()
);
create table oltp20.handler (
  pattern text collate "C" not null,
  handler text not null,
  number bigint not null unique,  -- its function is oltp20_handler.h_<number>
  regex text not null,
  registered_by text not null default session_user,
  registered_at timestamptz not null default clock_timestamp(),
  primary key (pattern, handler)
);
create sequence oltp20.wrapper_number as bigint;

create table oltp20.drift (
  type text collate "C" not null,
  shape text not null,
  shape_here text not null,
  what text not null,
  first_seen_at timestamptz not null default clock_timestamp(),
  primary key (type, shape, shape_here)
);

create function oltp20.registry_changed() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update oltp20.registry set version = version + 1;
  return null;
end $$;
create trigger changed after insert or update or delete on oltp20.accepted
  for each statement execute function oltp20.registry_changed();
create trigger changed after insert or update or delete on oltp20.handler
  for each statement execute function oltp20.registry_changed();

-- ---- how rows are inserted ----------------------------------------------------------------------

-- The statement that inserts $1, an array of jsonb objects with these members, into a relation.
create function oltp20.accepting_insert(relation regclass, columns text[]) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select format(
    'insert into %s (%s) overriding system value select %s '
    'from unnest($1) with ordinality as r (p, n) order by n', relation,
    string_agg(quote_ident(a.attname), ', ' order by a.attnum),
    string_agg(format('(p->>%L)::%s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
               order by a.attnum))
  from pg_attribute a
  where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    and a.attname = any (columns)
$$;

-- The same as a check: the first value that its column would not keep as it is, or no row.
create function oltp20.inexact_value(relation regclass, columns text[]) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select format('select v.name, v.value from unnest($1) as r (p), lateral (values %s) as '
    'v (name, value, kept) where v.value is distinct from v.kept limit 1',
    string_agg(format('(%1$L, p->>%1$L, concat((p->>%1$L)::%2$s))', a.attname,
                      format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum))
  from pg_attribute a
  where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    and a.attname = any (columns)
$$;

create function oltp20.note_drift(of_type text, of_shape text, columns text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into oltp20.drift (type, shape, shape_here, what)
    select of_type, of_shape, oltp20.shape_of(t.relation), coalesce(nullif(concat_ws('; ',
      'not in ' || t.relation || ': ' || (select string_agg(quote_ident(c), ', ' order by n)
        from unnest(columns) with ordinality as u (c, n) where c <> all (t.here)),
      'only in ' || t.relation || ': ' || (select string_agg(quote_ident(c), ', ' order by n)
        from unnest(t.here) with ordinality as u (c, n) where c <> all (columns))), ''),
      'the same columns, of other types or in another order')
    from (select a.relation, array(
            select c.attname::text from pg_attribute c where c.attrelid = a.relation
              and c.attnum > 0 and not c.attisdropped and c.attgenerated = '' order by c.attnum)
            as here
          from oltp20.accepted a where a.type = of_type) as t
    where of_shape <> oltp20.shape_of(t.relation)
  on conflict do nothing
$$;

-- How rows of another shape come into a table, called by its function, with the rights of who
-- accepted it: a column that is not here, or a value that would not stay what it is, is refused.
create function oltp20.insert_drifted(relation regclass, payloads jsonb[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  columns text[];
  missing text;
  bad record;
begin
  if exists (select from unnest(payloads) as p where jsonb_typeof(p) is distinct from 'object') then
    raise exception 'a row for % is no object of columns and their values', relation
      using errcode = 'OL002';
  end if;
  columns := array(select distinct k from unnest(payloads) as p, jsonb_object_keys(p) as k);
  select string_agg(quote_ident(c), ', ') into missing from unnest(columns) as c
    where not exists (select from pg_attribute a where a.attrelid = relation and a.attname = c
                        and a.attnum > 0 and not a.attisdropped and a.attgenerated = '');
  if missing is not null then
    raise exception '% has no column % that the row has, or it is generated here. Add it and retry '
      'the dead letter', relation, missing using errcode = 'OL001';
  end if;
  if exists (select from unnest(payloads) as p where not p ?& columns) then
    raise exception 'rows for % of one shape have different columns', relation
      using errcode = 'OL001';
  end if;
  execute oltp20.inexact_value(relation, columns) into bad using payloads;
  if bad.name is not null then
    raise exception 'column % of % would not keep the value % as it is. Give it the type that it '
      'has at its origin, and retry the dead letter', quote_ident(bad.name), relation,
      quote_nullable(left(bad.value, 100)) using errcode = 'OL001';
  end if;
  execute oltp20.accepting_insert(relation, columns) using payloads;
end $$;

-- ---- accept, unaccept --------------------------------------------------------------------------

-- Deferred triggers fire with the rights of who is current then: of who made this, and never of the
-- agent.
create function oltp20.make_checker(number bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('create function oltp20_handler.c_%s() returns void language plpgsql '
                 'security definer set search_path = pg_catalog, pg_temp set row_security = on as '
                 '%L', number, 'begin set constraints all immediate; end');
  execute format('revoke all on function oltp20_handler.c_%s() from public', number);
  execute format('grant execute on function oltp20_handler.c_%s() to oltp20_agent', number);
end $$;

-- With the rights of the caller, who then owns it: it inserts as the caller, whatever arrives. The
-- check of the shape is kept with the plan, which any change of the table makes anew, so it costs
-- nothing; a table that was renamed or altered since takes the slow way.
create function oltp20.make_acceptor(relation regclass, number bigint) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  columns text[] := array(
    select a.attname::text from pg_attribute a where a.attrelid = relation and a.attnum > 0
      and not a.attisdropped and a.attgenerated = '' order by a.attnum);
begin
  execute format($make$
    create function oltp20_handler.a_%s(relation regclass, shape text, payloads jsonb[])
    returns boolean language plpgsql security definer
    set search_path = pg_catalog, pg_temp set extra_float_digits = 3 set "DateStyle" = 'ISO, MDY'
    set "IntervalStyle" = postgres set bytea_output = hex set "TimeZone" = 'UTC'
    set row_security = on as %L
  $make$, number, format($body$
    begin
      if shape = %1$L and to_regclass(%2$L) = relation and relation = %3$s then
        if oltp20.shape_when_planned(%3$s) = %1$L and not exists (select from %4$s where false)
           and (select bool_and(p ?& %5$L::text[] and p - %5$L::text[] = '{}')
                from unnest(payloads) as p) then
          %6$s;
          return false;
        end if;
      end if;
      perform oltp20.insert_drifted(relation, payloads);
      return true;
    end $body$, oltp20.shape_of(relation), relation::text, relation::oid, relation,
    columns, replace(oltp20.accepting_insert(relation, columns), '$1', 'payloads')));
  execute format('revoke all on function oltp20_handler.a_%s(regclass, text, jsonb[]) from public',
                 number);
  execute format('grant execute on function oltp20_handler.a_%s(regclass, text, jsonb[]) '
                 'to oltp20_agent', number);
  perform oltp20.make_checker(number);
end $$;

-- What of the registry's changes needs the rights of the schema's owner. The caller has made the
-- function, and only who may act for the owner of the relation could have its function insert.
create function oltp20.register_accepted(of_type text, of_relation regclass, of_number bigint)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (
       select from pg_proc f join pg_class c on c.oid = of_relation
       where f.oid = format('oltp20_handler.a_%s(regclass, text, jsonb[])', of_number)::regprocedure
         and f.prosecdef and pg_has_role(f.proowner, c.relowner, 'usage')) then
    raise exception '% is accepted by its owner: call oltp20.accept_table as %', of_relation,
      (select relowner::regrole from pg_class where oid = of_relation)
      using errcode = 'insufficient_privilege';
  end if;
  insert into oltp20.accepted (type, relation, number) values (of_type, of_relation, of_number);
end $$;

create function oltp20.forget_wrapper(of_number bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from pg_proc f where f.pronamespace = 'oltp20_handler'::regnamespace
               and f.proname in ('a_' || of_number, 'h_' || of_number, 'c_' || of_number)) then
    raise exception 'the function of number % is still there: call oltp20.unaccept_table or '
      'oltp20.off_message', of_number using errcode = 'object_in_use';
  end if;
  delete from oltp20.accepted a where a.number = of_number;
  delete from oltp20.handler h where h.number = of_number;
end $$;

create function oltp20.unaccept_table(type text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  entry oltp20.accepted;
begin
  select a.* into entry from oltp20.accepted a where a.type = unaccept_table.type;
  if entry.type is null then
    raise exception 'no table accepts type %: select * from oltp20.accepted', quote_nullable(type)
      using errcode = 'no_data_found';
  end if;
  execute format('drop function if exists oltp20_handler.a_%s(regclass, text, jsonb[])',
                 entry.number);
  execute format('drop function if exists oltp20_handler.c_%s()', entry.number);
  perform oltp20.forget_wrapper(entry.number);
end $$;
comment on function oltp20.unaccept_table(text) is
  'Rows of the type arrive in message.incoming again. The table keeps what it has.';

create function oltp20.accept_table(type text, relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  number bigint := nextval('oltp20.wrapper_number');
  about record;
begin
  if type is null or type !~ '^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$' then
    raise exception '% is no type: write words of letters, digits, _ and -, joined by dots',
      quote_nullable(type) using errcode = 'invalid_parameter_value';
  end if;
  select c.relkind, c.relpersistence, c.relowner::regrole as owner, n.nspname,
         pg_has_role(current_user, c.relowner, 'usage') as may
    into about from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = relation;
  if about.relkind is null or about.relkind not in ('r', 'p') or about.relpersistence = 't'
     or about.nspname in ('oltp20', 'message', 'oltp20_published', 'oltp20_handler', 'pg_catalog',
                          'information_schema') then
    raise exception '% is no table that rows can be put into: name an ordinary or a partitioned '
      'table of yours', coalesce(relation::text, 'null') using errcode = 'wrong_object_type';
  end if;
  if not about.may then
    raise exception '% belongs to %: rows are inserted with the rights of its owner, so only the '
      'owner, or a member of it, may accept them', relation, about.owner
      using errcode = 'insufficient_privilege';
  end if;
  if exists (select from oltp20.accepted a where a.type = accept_table.type) then
    perform oltp20.unaccept_table(type);
  end if;
  perform oltp20.make_acceptor(relation, number);
  perform oltp20.register_accepted(type, relation, number);
end $$;
comment on function oltp20.accept_table(text, regclass) is
  'From now on rows of a table that was published as the type arrive in this table, in the '
  'transactions that they were written in. Call it again after you altered the table.';

-- ---- handlers ----------------------------------------------------------------------------------

create function oltp20.register_handler(
  of_pattern text, of_handler text, of_number bigint, of_regex text) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into oltp20.handler (pattern, handler, number, regex)
    select of_pattern, of_handler, of_number, of_regex
    where format('oltp20_handler.h_%s(message.incoming)', of_number)::regprocedure is not null
$$;

create function oltp20.on_message(pattern text, handler text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  number bigint := nextval('oltp20.wrapper_number');
  target regprocedure := to_regprocedure(handler);
  about record;
begin
  if pattern is null or pattern !~ '^([A-Za-z0-9_-]+|[*])([.]([A-Za-z0-9_-]+|[*]))*([.]>)?$|^>$' then
    raise exception '% is no pattern: write words joined by dots; * stands for one word, > at the '
      'end for one or more, as in ''order.>''', quote_nullable(pattern)
      using errcode = 'invalid_parameter_value';
  end if;
  select format('%I.%I', n.nspname, p.proname) as name, p.oid::regprocedure::text as signature,
         p.prokind = 'f' and p.proargtypes::text = 'message.incoming'::regtype::oid::text as fits,
         has_function_privilege(p.oid, 'execute') as may
    into about from pg_proc p join pg_namespace n on n.oid = p.pronamespace where p.oid = target;
  if about.fits is not true then
    raise exception 'there is no function % that takes a message: write it with its schema, as in '
      '''shop.on_order(message.incoming)''', quote_nullable(handler)
      using errcode = 'undefined_function';
  end if;
  if not about.may then
    raise exception 'you may not call %, and it would be called with your rights', about.signature
      using errcode = 'insufficient_privilege';
  end if;
  if exists (select from oltp20.handler h where h.pattern = on_message.pattern
               and h.handler = about.signature) then
    raise exception '% handles % already', about.signature, pattern
      using errcode = 'duplicate_object';
  end if;
  -- Plans of the agent's session are pinned; a user's function is planned as anywhere else.
  execute format($make$
    create function oltp20_handler.h_%s(message message.incoming) returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp
    set row_security = on set enable_seqscan = on set plan_cache_mode = auto as %L
  $make$, number, format('begin perform %s(message); end', about.name));
  execute format('revoke all on function oltp20_handler.h_%s(message.incoming) from public', number);
  execute format('grant execute on function oltp20_handler.h_%s(message.incoming) to oltp20_agent',
                 number);
  perform oltp20.make_checker(number);
  perform oltp20.register_handler(pattern, about.signature, number, '^' || replace(replace(replace(
    pattern, '.', '[.]'), '*', '[^.]+'), '>', '.+') || '$');
end $$;
comment on function oltp20.on_message(text, text) is
  'From now on the function is called with each arriving message whose type matches, in the '
  'transaction that applies it, with the rights of who calls this. It is called with search_path '
  'pg_catalog: write names with their schema, or give the function a search_path of its own.';

create function oltp20.off_message(pattern text, handler text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  entry oltp20.handler;
begin
  select h.* into entry from oltp20.handler h where h.pattern = off_message.pattern
    and h.handler in (off_message.handler, to_regprocedure(off_message.handler)::text);
  if entry.number is null then
    raise exception '% does not handle %: select * from oltp20.handler', quote_nullable(handler),
      quote_nullable(pattern) using errcode = 'no_data_found';
  end if;
  execute format('drop function if exists oltp20_handler.h_%s(message.incoming)', entry.number);
  execute format('drop function if exists oltp20_handler.c_%s()', entry.number);
  perform oltp20.forget_wrapper(entry.number);
end $$;
comment on function oltp20.off_message(text, text) is
  'The function is no longer called; who registered it, or a member of that role, may say so.';

-- ---- applying, with the rights of the agent ------------------------------------------------------

-- The owner's, since a row can be locked only by who may change it. Of a large transaction all
-- parts are applied by one registry.
create function oltp20.hold_registry() returns void
language sql security definer set search_path = pg_catalog, pg_temp as
$$ select from oltp20.registry for share $$;

-- Rows of one transaction, or of one part of it, in their order: those of accepted types into
-- their tables, runs of one table at once, the others into message.incoming.
create function oltp20.apply_rows(
  of_origin text, of_epoch uuid, of_seq bigint, positions integer[], ids uuid[], types text[],
  dates date[], payloads text[], headers jsonb[], destinations text[], sent_at timestamptz[],
  hops integer)
returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  run record;
  drifted boolean;
begin
  perform set_config('oltp20.hops', (hops + 1)::text, true);
  insert into message.incoming (origin, epoch, seq, position, id, type, date, payload, headers,
                                destination, sent_at)
    select of_origin, of_epoch, of_seq, r.* from unnest(positions, ids, types, dates, payloads,
      headers, destinations, sent_at) as r (position, id, type, date, payload, headers,
                                            destination, sent_at)
    where not exists (select from oltp20.accepted a where a.type = r.type);
  for run in
    select r.type, r.shape, r.number, r.relation, array_agg(r.payload::jsonb order by r.n) as rows,
           array_agg(r.id order by r.n) as ids, min(r.position) as position
    from (select *, count(*) filter (where starts) over (order by n) as run
          from (select u.*, u.h ->> 'oltp20.shape' as shape, a.number, a.relation,
                       u.type is distinct from lag(u.type) over (order by u.n)
                       or u.h ->> 'oltp20.shape'
                          is distinct from lag(u.h ->> 'oltp20.shape') over (order by u.n) as starts
                from unnest(positions, ids, types, payloads, headers) with ordinality
                       as u (position, id, type, payload, h, n)
                join oltp20.accepted a on a.type = u.type) as u) as r
    group by r.run, r.type, r.shape, r.number, r.relation order by r.run
  loop
    if run.shape is null then
      raise exception 'a row of type % for table % does not come from a published table: it has no '
        'oltp20.shape in its headers. Publish the table at its origin with oltp20.publish_table',
        run.type, run.relation using errcode = 'OL002';
    end if;
    perform set_config('oltp20.applying', run.relation::oid::text, true);
    perform set_config('oltp20.checked_by', run.number::text, true);
    execute format('select oltp20_handler.a_%s($1, $2, $3)', run.number) into drifted
      using run.relation, run.shape, run.rows;
    perform set_config('oltp20.applying', '', true);
    if drifted then
      perform oltp20.note_drift(run.type, run.shape,
                                array(select jsonb_object_keys(run.rows[1])));
    end if;
    insert into oltp20.applied_part (origin, epoch, seq, position, ids)
      values (of_origin, of_epoch, of_seq, run.position, run.ids);
  end loop;
end $$;

-- The end of a source transaction: its handlers, then its deferred constraints, so that they blame
-- it and none that follows in the same SQL transaction. What was deferred is deferred again for
-- `more`, where the agent may use the schema; elsewhere a transaction that needs it is redone
-- alone. Says how many calls there were.
create function oltp20.finish_transaction(
  of_origin text, of_epoch uuid, of_seq bigint, more boolean) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  message message.incoming;
  handler record;
  checker text := nullif(current_setting('oltp20.checked_by', true), '');
  calls bigint := 0;
  deferred text;
begin
  if exists (select from oltp20.handler) then
    for message in select i.* from message.incoming i where i.origin = of_origin
      and i.epoch = of_epoch and i.seq = of_seq order by i.position
    loop
      for handler in select h.number from oltp20.handler h where message.type ~ h.regex
        order by h.number
      loop
        execute format('select oltp20_handler.h_%s($1)', handler.number) using message;
        checker := coalesce(checker, handler.number::text);
        calls := calls + 1;
      end loop;
    end loop;
  end if;
  if checker is null then
    set constraints all immediate;
  else
    execute format('select oltp20_handler.c_%s()', checker::bigint);
  end if;
  perform set_config('oltp20.checked_by', '', true), set_config('oltp20.hops', '', true);
  if more then
    select string_agg(distinct format('%I.%I', n.nspname, c.conname), ', ') into deferred
      from pg_constraint c join pg_namespace n on n.oid = c.connamespace
      where c.condeferred and has_schema_privilege(n.oid, 'usage');
    if deferred is not null then
      execute 'set constraints ' || deferred || ' deferred';
    end if;
  end if;
  return calls;
end $$;

-- Transactions come out of the keys, from the newest on, and the rows of each are counted when it is
-- asked for.
create view oltp20.applied as
  select t.origin, t.epoch, t.seq, r.rows, r.applied_at
  from (select distinct on (k.origin, k.epoch, k.seq) k.origin, k.epoch, k.seq
        from (select i.origin, i.epoch, i.seq from message.incoming i
              union all
              select p.origin, p.epoch, p.seq from oltp20.applied_part p) k
        order by k.origin desc, k.epoch desc, k.seq desc) t,
  lateral (select sum(a.rows)::bigint as rows, max(a.applied_at) as applied_at
           from (select count(*) as rows, max(i.received_at) as applied_at
                 from message.incoming i
                 where i.origin = t.origin and i.epoch = t.epoch and i.seq = t.seq
                 union all
                 select sum(cardinality(p.ids)), max(p.applied_at) from oltp20.applied_part p
                 where p.origin = t.origin and p.epoch = t.epoch and p.seq = t.seq) a) r;
comment on view oltp20.applied is
  'The transactions of others that are in this database, with the rows that came of each; up to '
  'the horizon. Ask for one origin, order by epoch desc, seq desc with a limit.';
comment on table oltp20.drift is
  'Where a table here has other columns than the one its rows come from, once for each pair.';

-- ---- who may -------------------------------------------------------------------------------------

revoke all on all functions in schema oltp20 from public;
revoke all on oltp20.registry, oltp20.accepted, oltp20.handler, oltp20.drift, oltp20.applied,
  oltp20.applied_part from public;
grant usage on schema oltp20, message, oltp20_handler to oltp20_developer, oltp20_agent;
grant create on schema oltp20_handler to oltp20_developer;
grant usage on sequence oltp20.wrapper_number to oltp20_developer;
grant select on oltp20.accepted, oltp20.handler, oltp20.drift, oltp20.applied, oltp20.dead_letter,
  message.incoming, message.outgoing, oltp20.status to oltp20_developer;
grant execute on function oltp20.shape_of(regclass), oltp20.shape_when_planned(oid),
  oltp20.accepting_insert(regclass, text[]), oltp20.inexact_value(regclass, text[]),
  oltp20.insert_drifted(regclass, jsonb[]), oltp20.make_acceptor(regclass, bigint),
  oltp20.make_checker(bigint),
  oltp20.register_accepted(text, regclass, bigint), oltp20.forget_wrapper(bigint),
  oltp20.accept_table(text, regclass), oltp20.unaccept_table(text),
  oltp20.register_handler(text, text, bigint, text), oltp20.on_message(text, text),
  oltp20.off_message(text, text), oltp20.current_epoch(), oltp20.stable_seq(uuid)
  to oltp20_developer;

grant select on oltp20.registry, oltp20.accepted, oltp20.handler, oltp20.drift,
  oltp20.applied, oltp20.applied_part to oltp20_agent, oltp20_admin;
grant select on oltp20.applied, oltp20.accepted, oltp20.handler, oltp20.drift
  to oltp20_application;
grant insert on oltp20.applied_part to oltp20_agent;
grant execute on function oltp20.hold_registry(),
  oltp20.apply_rows(text, uuid, bigint, integer[], uuid[], text[], date[], text[], jsonb[], text[],
                    timestamptz[], integer),
  oltp20.finish_transaction(text, uuid, bigint, boolean), oltp20.note_drift(text, text, text[])
  to oltp20_agent;
