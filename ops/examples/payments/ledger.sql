-- A bank's ledger. :bank is its name, :other its correspondent.
create schema ledger;
create table ledger.account (name text primary key);
create table ledger.transfer (
  id uuid primary key default gen_random_uuid(),
  from_bank text not null,
  from_account text not null,
  to_bank text not null,
  to_account text not null,
  amount numeric(20, 2) not null check (amount > 0),
  returns uuid,  -- the transfer that found no account
  ordered_at timestamptz not null default clock_timestamp()
);
create table ledger.entry (
  number bigint generated always as identity primary key,
  transfer uuid not null references ledger.transfer (id),
  account text not null references ledger.account (name),
  amount numeric(20, 2) not null
);
create view ledger.balance as
  select a.name as account, coalesce(sum(e.amount), 0) as amount
  from ledger.account a left join ledger.entry e on e.account = a.name group by a.name;

create table ledger.bank (name text not null, correspondent text not null);
insert into ledger.bank values (:'bank', :'other');
insert into ledger.account select 'correspondent/' || correspondent from ledger.bank;

-- Both sides book with this: what is paid here, or to here. The sum over all accounts stays zero.
create function ledger.book() returns trigger language plpgsql as $$
declare
  bank ledger.bank := (select b from ledger.bank b);
  here text := case when new.from_bank = bank.name then new.from_account else new.to_account end;
  sign integer := case when new.from_bank = bank.name then -1 else 1 end;
begin
  if new.to_bank = bank.name and not exists (select from ledger.account where name = here) then
    -- Goes back as a transfer of its own: a reply, which travels.
    insert into ledger.transfer (from_bank, from_account, to_bank, to_account, amount, returns)
      values (bank.name, 'returns', new.from_bank, new.from_account, new.amount, new.id);
    here := 'returns';
  end if;
  insert into ledger.entry (transfer, account, amount) values
    (new.id, here, sign * new.amount),
    (new.id, 'correspondent/' || bank.correspondent, -sign * new.amount);
  return null;
end $$;
create trigger book after insert on ledger.transfer for each row execute function ledger.book();
insert into ledger.account values ('returns');

create function ledger.pay(payer text, payee text, amount numeric) returns uuid
language sql as $$
  insert into ledger.transfer (from_bank, from_account, to_bank, to_account, amount)
    select b.name, payer, b.correspondent, payee, pay.amount from ledger.bank b
    returning id
$$;

select oltp20.publish_table('ledger.transfer', 'payment.transfer');
select oltp20.accept_table('payment.transfer', 'ledger.transfer');
