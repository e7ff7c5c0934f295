\ir company.sql
create view b2b.order_state as
  select document ->> 'order' as "order", company as seller,
         array_agg(split_part(kind, '.', 2) order by received_at) as answers,
         max((document ->> 'amount')::numeric) filter (where kind = 'order.invoiced') as invoiced
  from b2b.received group by 1, 2;
