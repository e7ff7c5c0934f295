-- Tables that travel: inserts into a published table are written to message.outgoing by a trigger
-- function that is generated for it, in the schema oltp20_published. See README.md.

-- `shape` and `made_for`: what the trigger function was generated for; other columns, or another
-- oid after a restored dump, are noticed by the function, which then takes a slower way.
create table oltp20.published (
  relation regclass primary key,
  type text collate "C" not null unique,
  destination text collate "C",
  number bigint not null unique,
  form text not null check (form in ('statement', 'row', 'partitioned')),
  shape text not null,
  made_for oid not null,
  published_by text not null default session_user,
  published_at timestamptz not null default clock_timestamp()
);
create sequence oltp20.published_number as bigint;

-- ---- what a table looks like -------------------------------------------------------------------

-- Columns that travel: generated ones are computed again where they arrive.
create function oltp20.shape_of(relation regclass) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select left(encode(sha256(convert_to(coalesce(string_agg(
           a.attname || ' ' || format_type(a.atttypid, a.atttypmod), chr(10) order by a.attnum),
           ''), 'UTF8')), 'hex'), 16)
  from pg_attribute a
  where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
$$;
comment on function oltp20.shape_of(regclass) is
  'The fingerprint of the columns of a table that travel: their names and types, in order.';

-- Immutable it is not. So it is computed when a statement is planned and kept with the plan, and a
-- plan is made anew after any change of a table that it uses: the check costs nothing.
create function oltp20.shape_when_planned(relation oid) returns text
language sql immutable security definer set search_path = pg_catalog, pg_temp as
$$ select oltp20.shape_of(relation::regclass) $$;

-- All types that a value of this type can hold: through domains, arrays, composites, ranges.
-- rngmultitypid is not known to PostgreSQL 13.
create function oltp20.types_within(type oid) returns setof oid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with recursive reached (oid) as (
    select types_within.type
    union
    select part.oid from reached join pg_type t on t.oid = reached.oid
    cross join lateral (
      select t.typbasetype as oid where t.typbasetype <> 0
      union all select t.typelem where t.typelem <> 0 and t.typlen = -1
      union all select a.atttypid from pg_attribute a
        where a.attrelid = t.typrelid and t.typrelid <> 0 and a.attnum > 0 and not a.attisdropped
      union all select r.rngsubtype from pg_range r
        where r.rngtypid = t.oid or to_jsonb(r) ->> 'rngmultitypid' = t.oid::text
    ) as part
  )
  select oid from reached
$$;

-- Why a table with these columns cannot be published; null when it can.
create function oltp20.column_refusal(relation regclass) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select format('column %I of %s has type %s, %s. Store it as %s, or leave the table unpublished',
                a.attname, relation, format_type(a.atttypid, a.atttypmod),
                case when t.oid = 'money'::regtype then 'whose text depends on lc_monetary'
                     when t.oid = '"char"'::regtype then 'which can hold a byte that is no text'
                     when t.typname ~ '^reg|^aclitem$'
                       then 'whose text is the name of something that can be renamed'
                     else 'of which no value can be read from text' end,
                case when t.oid = 'money'::regtype then 'numeric' else 'text' end)
  from pg_attribute a cross join oltp20.types_within(a.atttypid) as part (oid)
  join pg_type t on t.oid = part.oid
  where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    and t.typnamespace = 'pg_catalog'::regnamespace
    and (t.typname ~ '^reg|^pg_(node_tree|ndistinct|dependencies|mcv_list|brin_.*)$'
         or t.typname in ('money', 'char', 'aclitem', 'gtsvector') or t.typtype = 'p')
  order by a.attnum, t.oid limit 1
$$;

-- A value's text. A cast to text that a user made for a type of theirs is a function of theirs,
-- which a trigger function of ours would run with our rights: concat() asks the type itself.
create function oltp20.value_text(value text, type oid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with recursive base (oid) as (
    select value_text.type
    union all
    select t.typbasetype from base join pg_type t on t.oid = base.oid where t.typbasetype <> 0
  )
  select case when max(oid::bigint) < 16384 then value || '::text'
              else format('case when num_nulls(%s) = 0 then concat(%1$s) end', value) end
  from base
$$;

-- ---- the statements that publish ---------------------------------------------------------------

-- `row_is` names the row: n (of the transition table), new, or ($1). Columns are quoted always:
-- PL/pgSQL finds no field in new.by and the like, words of its own that SQL does not quote.
create function oltp20.publishing_insert(
  relation regclass, type text, destination text, row_is text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select format(
    'insert into message.outgoing (type, payload, headers, destination) '
    'select %L, json_object(array[%s]::text[], array[%s]::text[])::text, %L::jsonb, %L%s',
    publishing_insert.type, string_agg(quote_literal(a.attname), ', ' order by a.attnum),
    string_agg(oltp20.value_text(format('%s."%s"', row_is, replace(a.attname, '"', '""')),
                                 a.atttypid), ', ' order by a.attnum),
    json_build_object('oltp20.shape', oltp20.shape_of(relation)), destination,
    case when row_is = 'n' then ' from oltp20_new n' else '' end)
  from pg_attribute a
  where a.attrelid = relation and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
$$;

-- Whether this session is an agent's, whose own writes to a table are not published again.
create function oltp20.session_is_agent() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select pg_has_role(r.oid, 'oltp20_agent', 'member') and not r.rolsuper
  from pg_roles r where r.rolname = session_user
$$;

-- For a trigger function whose table is no longer what it was generated for: the statement that
-- publishes all columns of now; null when there is nothing to publish.
create function oltp20.publishing_insert_now(fired_on oid, of_number bigint, row_is text)
returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  entry oltp20.published;
  refusal text;
begin
  select p.* into entry from oltp20.published p where p.number = of_number;
  if entry.relation is null or (entry.relation <> fired_on and entry.relation <> all (
       array(select relid from pg_partition_ancestors(fired_on)))) then
    raise exception '% is not published by this trigger. Drop the trigger, and let the owner of '
      'the table call oltp20.publish_table', fired_on::regclass
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  if current_setting('oltp20.applying', true) = entry.relation::oid::text
     and pg_trigger_depth() = 1 and oltp20.session_is_agent() then
    return null;
  end if;
  refusal := oltp20.column_refusal(entry.relation);
  if refusal is not null then
    raise exception '%', refusal using errcode = 'feature_not_supported';
  end if;
  return oltp20.publishing_insert(entry.relation, entry.type, entry.destination, row_is);
end $$;

-- Settings that change how values are written are pinned, whatever the session has set. A setting
-- that nobody has set is null, and null `and` goes on to call the function: hence coalesce(). The
-- question for the shape stands alone, since a plan with parameters is made five times over.
create function oltp20.make_trigger_function(
  relation regclass, number bigint, type text, destination text, form text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  is_own text := format('tg_relid = %s', relation::oid);
  is_current text := format('not exists (select from oltp20_new where '
    'oltp20.shape_when_planned(%s) is distinct from %L)', relation::oid,
    oltp20.shape_of(relation));
  fast_row text := case form when 'statement' then 'n' else 'new' end;
  slow_row text := case form when 'statement' then 'n' else '($1)' end;
begin
  if form = 'partitioned' then
    is_own := format('pg_partition_root(tg_relid) = %s', relation::oid);
    is_current := format('oltp20.shape_of(%s) = %L', relation::oid, oltp20.shape_of(relation));
  end if;
  execute format($make$
    create or replace function oltp20_published.t_%s() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp set extra_float_digits = 3 set "DateStyle" = 'ISO, MDY'
    set "IntervalStyle" = postgres set bytea_output = hex set "TimeZone" = 'UTC' as %L
  $make$, number, format($body$
    #variable_conflict use_column
    declare
      is_current boolean := false;
      slow text;
    begin
      if coalesce(current_setting('oltp20.applying', true), '') = '%s'
         and pg_trigger_depth() = 1 and %s and oltp20.session_is_agent() then
        return null;
      end if;
      if %2$s then
        if %3$s then
          is_current := true;
        end if;
      end if;
      if is_current then
        %s;
      else
        slow := oltp20.publishing_insert_now(tg_relid, %s, '%s');
        if slow is not null then
          execute slow%s;
        end if;
      end if;
      return null;
    end $body$, relation::oid, is_own, is_current,
    oltp20.publishing_insert(relation, type, destination, fast_row), number, slow_row,
    case form when 'statement' then '' else ' using new' end));
  -- A trigger function is not called, only attached, and it refuses to fire on other tables; who
  -- adds a partition to a published table attaches it.
  execute format('grant execute on function oltp20_published.t_%s() to public', number);
end $$;

-- Published rows may have left already.
create function oltp20_published.refuse() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '%.% is published and takes inserts only: other databases have its rows. Insert '
    'a correcting row instead (a reversal, a newer version), or call '
    'oltp20.unpublish_table first (% refused)', quote_ident(tg_table_schema),
    quote_ident(tg_table_name), tg_op using errcode = 'restrict_violation';
end $$;
grant execute on function oltp20_published.refuse() to public;

-- ---- publish, unpublish ------------------------------------------------------------------------

-- Why a relation cannot be published; null when it can.
create function oltp20.publish_refusal(relation regclass) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select case
    when c.relkind in ('v', 'm') then 'is a view. Publish the tables that it reads'
    when c.relkind = 'f' then 'is a foreign table. Publish the table where its rows are'
    when c.relkind not in ('r', 'p') then 'is no table'
    when n.nspname in ('oltp20', 'message', 'oltp20_published', 'oltp20_handler', 'pg_catalog',
                       'information_schema') or starts_with(n.nspname, 'pg_toast')
      then 'is not a table of yours. Publish tables of your own'
    when c.relpersistence = 't' then 'is temporary, and other sessions do not see it. Publish a '
      'table that stays'
    when c.relpersistence = 'u' then 'is unlogged: a crash empties it, when its rows may have '
      'travelled. Alter it to logged first'
    when c.relispartition then format('is a partition. Publish %s, of which it is a part',
                                      pg_partition_root(c.oid))
    when exists (select from pg_inherits i where i.inhrelid = c.oid) then 'inherits from another '
      'table, and a row in it would be one of that table, too. Publish tables without inheritance'
    when c.relkind = 'r' and exists (select from pg_inherits i where i.inhparent = c.oid) then
      'has tables that inherit from it, whose rows would show in it and not travel. Publish tables '
      'without inheritance, or a partitioned one'
  end
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = relation
$$;

-- The steps of publish_table that need the rights of the schema's owner. begin_ makes a function
-- that fires nowhere yet; finish_ enters the table once it fires always, which only who owns the
-- table can have brought about. So neither trusts its caller.
create function oltp20.begin_publishing(
  relation regclass, type text, destination text, form text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  number bigint := nextval('oltp20.published_number');
begin
  perform oltp20.make_trigger_function(relation, number, type, destination, form);
  return number;
end $$;

create function oltp20.finish_publishing(
  of_relation regclass, of_number bigint, of_type text, of_destination text, of_form text)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from pg_trigger t where t.tgrelid = of_relation and t.tgenabled = 'A'
                   and t.tgfoid = format('oltp20_published.t_%s()', of_number)::regprocedure) then
    raise exception '% does not fire its trigger: call oltp20.publish_table', of_relation
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  if exists (select from oltp20.published p where p.number = of_number) then
    raise exception '% is published already', of_relation using errcode = 'duplicate_object';
  end if;
  -- Generated once more from what is entered, so that nothing else can be in it.
  perform oltp20.make_trigger_function(of_relation, of_number, of_type, of_destination, of_form);
  insert into oltp20.published (relation, type, destination, number, form, shape, made_for)
    values (of_relation, of_type, of_destination, of_number, of_form,
            oltp20.shape_of(of_relation), of_relation);
end $$;

-- Forgets tables that no longer fire, whose trigger or whose whole table is gone, and functions
-- that fire nowhere; generates anew what no longer fits its table. Says how many. It waits for
-- nobody: what another transaction is at work on comes with the next call.
create function oltp20.refresh_published() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  entry record;
  changed bigint := 0;
begin
  for entry in
    select p.*, exists (select from pg_class c where c.oid = p.relation) as is_there, exists (
             select from pg_trigger t where t.tgrelid = p.relation
               and t.tgfoid = to_regprocedure(format('oltp20_published.t_%s()', p.number)))
             as fires
    from oltp20.published p for update skip locked
  loop
    if not entry.fires then
      delete from oltp20.published p where p.number = entry.number;
      changed := changed + 1;
    elsif (entry.made_for <> entry.relation or entry.shape <> oltp20.shape_of(entry.relation))
          and oltp20.column_refusal(entry.relation) is null then
      perform oltp20.make_trigger_function(entry.relation, entry.number, entry.type,
                                           entry.destination, entry.form);
      update oltp20.published p set shape = oltp20.shape_of(p.relation), made_for = p.relation
        where p.number = entry.number;
      changed := changed + 1;
    end if;
  end loop;
  for entry in
    select f.proname from pg_proc f
    where f.pronamespace = 'oltp20_published'::regnamespace and f.proname ~ '^t_[0-9]+$'
      and not exists (select from oltp20.published p where 't_' || p.number = f.proname)
      and not exists (select from pg_trigger t where t.tgfoid = f.oid)
  loop
    execute format('drop function if exists oltp20_published.%I()', entry.proname);
  end loop;
  return changed;
end $$;
comment on function oltp20.refresh_published() is
  'Generates the trigger functions of published tables anew whose columns have changed, and forgets'
  ' dropped tables. The agent calls it; until then a slower way publishes all columns of now.';

-- TRUNCATE of one partition fires that partition's own triggers only.
create function oltp20.refuse_changes(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  part regclass;
begin
  execute format('create trigger "0_oltp20_refuse" before update or delete on %s '
                 'for each row execute function oltp20_published.refuse()', relation);
  for part in select relid from pg_partition_tree(relation) union select relation loop
    if not exists (select from pg_trigger t where t.tgrelid = part
                     and t.tgname = '0_oltp20_refuse_truncate') then
      execute format('create trigger "0_oltp20_refuse_truncate" before truncate on %s '
                     'for each statement execute function oltp20_published.refuse()', part);
    end if;
    execute format('alter table %s enable always trigger "0_oltp20_refuse_truncate"', part);
    execute format('alter table %s enable always trigger "0_oltp20_refuse"', part);
  end loop;
end $$;

create function oltp20.drop_publishing_triggers(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found_one record;
begin
  for found_one in
    select t.tgrelid::regclass as part, t.tgname from pg_trigger t
    where t.tgrelid in (select relid from pg_partition_tree(relation) union select relation)
      and t.tgfoid in (select f.oid from pg_proc f
                       where f.pronamespace = 'oltp20_published'::regnamespace)
      and starts_with(t.tgname, '0_oltp20_')
      and (t.tgrelid = relation or t.tgname = '0_oltp20_refuse_truncate')
  loop
    execute format('drop trigger %I on %s', found_one.tgname, found_one.part);
  end loop;
end $$;

create function oltp20.require_own_table(relation regclass, action text) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  if relation is null or not exists (select from pg_class c where c.oid = relation) then
    raise exception 'there is no such table to %', action using errcode = 'undefined_table';
  end if;
  if not (select pg_has_role(current_user, c.relowner, 'usage') from pg_class c
          where c.oid = relation) then
    raise exception '% belongs to %: only its owner can % it', relation,
      (select c.relowner::regrole from pg_class c where c.oid = relation), action
      using errcode = 'insufficient_privilege';
  end if;
end $$;

create function oltp20.publish_table(relation regclass, type text, destination text default null)
returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  entry oltp20.published;
  form text := 'statement';
  refusal text := oltp20.publish_refusal(relation);
  number bigint;
begin
  perform oltp20.require_own_table(relation, 'publish');
  refusal := coalesce(relation || ' ' || refusal, oltp20.column_refusal(relation));
  if refusal is not null then
    raise exception '%', refusal using errcode = 'feature_not_supported';
  end if;
  if type is null or octet_length(type) > 255
     or type !~ '^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*$' then
    raise exception 'a type is words of letters, digits, _ and -, joined by dots, of at most 255 '
      'bytes; not %', quote_nullable(type) using errcode = 'invalid_parameter_value';
  end if;
  if destination !~ '^(spoke|region)/[A-Za-z0-9._-]{1,63}$' then
    raise exception 'a destination is ''spoke/NAME'' or ''region/NAME'', or null for whoever '
      'subscribes; not %', quote_literal(destination) using errcode = 'invalid_parameter_value';
  end if;
  perform oltp20.refresh_published();
  select p.* into entry from oltp20.published p
    where p.relation = publish_table.relation or p.type = publish_table.type
    order by p.relation = publish_table.relation desc limit 1;
  if entry.relation is not null and (entry.relation, entry.type, coalesce(entry.destination, ''))
       <> (relation, type, coalesce(destination, '')) then
    raise exception '% is published as % to %: call oltp20.unpublish_table(%) first',
      entry.relation, entry.type, coalesce(entry.destination, 'whoever subscribes'),
      quote_literal(entry.relation) using errcode = 'duplicate_object';
  end if;
  if entry.relation is not null then
    perform oltp20.unpublish_table(relation);
  end if;
  -- Rows that users' row triggers insert in reply follow the row that they reply to.
  if (select c.relkind = 'p' from pg_class c where c.oid = relation) then
    form := 'partitioned';
  elsif exists (select from pg_trigger t where t.tgrelid = relation and not t.tgisinternal
                  and t.tgtype & 7 = 5) then
    form := 'row';
  end if;
  number := oltp20.begin_publishing(relation, type, destination, form);
  execute format(
    'create trigger "0_oltp20_publish" after insert on %s %s for each %s '
    'execute function oltp20_published.t_%s()', relation,
    case when form = 'partitioned' then '' else 'referencing new table as oltp20_new' end,
    case when form = 'statement' then 'statement' else 'row' end, number);
  for entry.relation in
    select relid from pg_partition_tree(relation) union select relation
  loop
    execute format('alter table %s enable always trigger "0_oltp20_publish"', entry.relation);
  end loop;
  perform oltp20.refuse_changes(relation);
  -- Fires never. PostgreSQL lets no table with such a trigger become a partition or a child, where
  -- inserts through the parent would not be seen.
  if form <> 'partitioned' then
    execute format('create trigger "0_oltp20_unpublish_it_first" after update on %s referencing '
                   'new table as oltp20_new for each row when (false) '
                   'execute function oltp20_published.refuse()', relation);
  end if;
  perform oltp20.finish_publishing(relation, number, type, destination, form);
end $$;
comment on function oltp20.publish_table(regclass, text, text) is
  'From now on inserts into this table travel, as messages of this type: select '
  'oltp20.publish_table(''payments.transfer'', ''payment.transfer''). Update, delete and truncate '
  'of it are refused from then on. Call it again after partitions or triggers were added.';

create function oltp20.unpublish_table(relation regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform oltp20.require_own_table(relation, 'unpublish');
  perform oltp20.drop_publishing_triggers(relation);
  perform oltp20.refresh_published();
end $$;
comment on function oltp20.unpublish_table(regclass) is
  'Ends publish_table: later inserts stay here, and the table can be changed again. What was '
  'published travels still.';

-- ---- who may do what ---------------------------------------------------------------------------

revoke all on all functions in schema oltp20, oltp20_published from public;
revoke all on oltp20.published from public;
grant execute on function oltp20_published.refuse() to public;
grant usage on schema oltp20, oltp20_published to oltp20_developer, oltp20_admin;
grant select on oltp20.published
  to oltp20_developer, oltp20_application, oltp20_agent, oltp20_admin;
grant execute on function oltp20.publish_table(regclass, text, text),
  oltp20.unpublish_table(regclass), oltp20.require_own_table(regclass, text),
  oltp20.publish_refusal(regclass), oltp20.column_refusal(regclass),
  oltp20.begin_publishing(regclass, text, text, text),
  oltp20.finish_publishing(regclass, bigint, text, text, text),
  oltp20.refuse_changes(regclass), oltp20.drop_publishing_triggers(regclass),
  oltp20.shape_of(regclass), oltp20.refresh_published() to oltp20_developer, oltp20_admin;
grant execute on function oltp20.shape_of(regclass), oltp20.refresh_published() to oltp20_agent;
grant execute on function oltp20.shape_of(regclass) to oltp20_application;
