\set bank bank-b
\set other bank-a
\ir ledger.sql
insert into ledger.account values ('bruno'), ('berta');
