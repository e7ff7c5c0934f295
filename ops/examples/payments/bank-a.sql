\set bank bank-a
\set other bank-b
\ir ledger.sql
insert into ledger.account values ('alice'), ('anton');
