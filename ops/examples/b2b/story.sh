# shellcheck shell=bash disable=SC2154
step "the buyer orders from both sellers"
order() { # NUMBER SELLER ARTICLE QUANTITY
  at buyer "select b2b.send('order.placed', '$2',
              jsonb_build_object('order', '$1', 'article', '$3', 'quantity', $4))" >/dev/null
}
order 2021-001 seller-1 bolt 400
order 2021-002 seller-1 nut 400
order 2021-003 seller-2 bolt 100
order 2021-004 seller-2 nut 100
order 2021-005 nobody bolt 1
until_answer seller-1 "select count(*) from b2b.confirmed" 2
until_answer seller-2 "select count(*) from b2b.confirmed" 1
at seller-1 "call b2b.ship_all()"
at seller-2 "call b2b.ship_all()"

step "what must be true"
until_answer buyer "select string_agg(\"order\" || ' ' || array_to_string(answers, '+') || coalesce(' ' || invoiced, ''),
  '; ' order by \"order\") from b2b.order_state" \
  "2021-001 confirmed+shipped+invoiced 100.00; 2021-002 confirmed+shipped+invoiced 80.00; 2021-003 confirmed+shipped+invoiced 24.00; 2021-004 refused"
tell "$(at buyer "select \"order\" || ': ' || array_to_string(answers, ', ') || coalesce(', ' || invoiced, '') from b2b.order_state order by 1")"
for n in 1 2; do
  until_answer "seller-$n" "select count(*) from message.incoming" 2
  until_answer "seller-$n" "select count(*) from message.incoming where destination <> 'spoke/seller-$n' or origin <> 'buyer'" 0
done
tell "each seller has its own two orders, and nothing of the other"
until_answer buyer "select count(*) from oltp20.rejected" 1
tell "the order to nobody came back: $(at buyer "select reason from oltp20.rejected")"
