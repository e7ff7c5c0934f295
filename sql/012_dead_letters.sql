-- What becomes of a transaction that this database refused: it is retried, or discarded with a
-- reason; or it is not put aside at all, and its origin waits. See README.md.

create table oltp20.strict_origin (
  origin text collate "C" primary key,
  set_by text not null default session_user,
  set_at timestamptz not null default clock_timestamp()
);
create trigger changed after insert or update or delete on oltp20.strict_origin
  for each statement execute function oltp20.registry_changed();

create function oltp20.open_dead_letter(of_origin text, of_epoch uuid, of_seq bigint)
returns oltp20.dead_letter
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  letter oltp20.dead_letter;
begin
  select d.* into letter from oltp20.dead_letter d
    where d.origin = of_origin and d.epoch = of_epoch and d.seq = of_seq for update;
  if letter.origin is null then
    raise exception 'there is no dead letter %/%/%: select origin, epoch, seq from '
      'oltp20.dead_letter', of_origin, of_epoch, of_seq using errcode = 'no_data_found';
  elsif letter.retried_at is not null then
    raise exception 'the dead letter %/%/% was applied at %', of_origin, of_epoch, of_seq,
      letter.retried_at using errcode = 'object_not_in_prerequisite_state';
  elsif letter.discarded_at is not null then
    raise exception 'the dead letter %/%/% was discarded by % at %: %', of_origin, of_epoch,
      of_seq, letter.discarded_by, letter.discarded_at, letter.discard_reason
      using errcode = 'object_not_in_prerequisite_state';
  end if;
  return letter;
end $$;

create function oltp20.retry_dead_letter(origin text, epoch uuid, seq bigint) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform oltp20.open_dead_letter(origin, epoch, seq);
  update oltp20.dead_letter d set retry_wanted_at = clock_timestamp(), retry_wanted_by = session_user
    where d.origin = retry_dead_letter.origin and d.epoch = retry_dead_letter.epoch
      and d.seq = retry_dead_letter.seq;
  notify oltp20_inbox;
end $$;
comment on function oltp20.retry_dead_letter(text, uuid, bigint) is
  'Has the agent apply the kept transaction, whole, as soon as this commits. retried_at of '
  'oltp20.dead_letter says that it was, error why it was not. It comes after those that passed it.';

-- By the agent, in the transaction that has applied it. Rows of an earlier seq have come: what is
-- known of the life's ids is read anew.
create function oltp20.letter_applied(of_origin text, of_epoch uuid, of_seq bigint) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
  delete from oltp20.overlap_reach r where r.origin = of_origin and r.epoch = of_epoch;
  update oltp20.dead_letter d set retried_at = clock_timestamp(), retried_by = d.retry_wanted_by,
      retry_wanted_at = null, retry_wanted_by = null
    where d.origin = of_origin and d.epoch = of_epoch and d.seq = of_seq
$$;

create function oltp20.discard_dead_letter(origin text, epoch uuid, seq bigint, reason text)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce(reason, '') = '' then
    raise exception 'discarding a dead letter gives up a transaction: say why, as the last argument'
      using errcode = 'invalid_parameter_value';
  end if;
  perform oltp20.open_dead_letter(origin, epoch, seq);
  update oltp20.dead_letter d set discarded_at = clock_timestamp(), discarded_by = session_user,
      discard_reason = reason, retry_wanted_at = null, retry_wanted_by = null
    where d.origin = discard_dead_letter.origin and d.epoch = discard_dead_letter.epoch
      and d.seq = discard_dead_letter.seq;
end $$;
comment on function oltp20.discard_dead_letter(text, uuid, bigint, text) is
  'Gives the transaction up. Its content stays, with who did it, when and why.';

create function oltp20.set_strict(origin text, strict boolean) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if origin is null or strict is null or origin !~ '^[A-Za-z0-9._-]{1,63}$' then
    raise exception 'say which spoke, and true or false: oltp20.set_strict(''NAME'', true)'
      using errcode = 'invalid_parameter_value';
  end if;
  if strict then
    insert into oltp20.strict_origin (origin) values (set_strict.origin) on conflict do nothing;
  else
    delete from oltp20.strict_origin s where s.origin = set_strict.origin;
  end if;
end $$;
comment on function oltp20.set_strict(text, boolean) is
  'When true, a transaction of this origin that is refused here stops what follows of the origin, '
  'as a gap, instead of being put aside.';

revoke all on all functions in schema oltp20 from public;
revoke all on oltp20.strict_origin from public;
grant select on oltp20.strict_origin to oltp20_agent, oltp20_admin;
grant update (error, sqlstate, retry_wanted_at, retry_wanted_by, retry_failed_at)
  on oltp20.dead_letter to oltp20_agent;
grant execute on function oltp20.letter_applied(text, uuid, bigint) to oltp20_agent;
grant execute on function oltp20.retry_dead_letter(text, uuid, bigint),
  oltp20.discard_dead_letter(text, uuid, bigint, text), oltp20.set_strict(text, boolean)
  to oltp20_admin;
