\ir seller.sql
insert into b2b.price values ('bolt', 0.25), ('nut', 0.20);
