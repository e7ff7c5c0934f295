# shellcheck shell=bash disable=SC2154
step "four sessions place 300 orders in three instruments; the hub is killed meanwhile"
trade() { # SESSION
  at broker "do \$\$ begin for n in 1 .. 75 loop
               perform trade.place((array['ACME', 'GLOBEX', 'INITECH'])[1 + (n + $1) % 3],
                                   (array['buy', 'sell'])[1 + (n * $1 + n / 2) % 2],
                                   1 + (n * 7 + $1) % 20, 100 + (n * 13 + $1 * 5) % 9 - 4);
               commit; perform pg_sleep(0.008);
             end loop; end \$\$" >/dev/null
}
sessions=()
for n in 1 2 3 4; do trade "$n" & sessions+=($!); done
sleep 0.3
kill_hub
sleep 0.3
start_hub
for pid in "${sessions[@]}"; do wait "$pid" || fail 1 "a session could not place its orders"; done

step "what must be true"
until_answer venue "select count(*) from trade.placed" 300
until_answer venue "select count(*) from (select number - lag(number, 1, 0) over (
  partition by instrument order by place) as step from trade.arrival join trade.placed on id = \"order\") s
  where step <> 1" 0
tell "the venue saw the orders of each instrument in the order of their commits, none missing"
same "fills" broker "select count(*) || ', ' || sum(quantity * price) from trade.fill" \
  venue "select count(*) || ', ' || sum(quantity * price) from trade.fill"
until_answer broker "select count(*) from trade.placed p where p.quantity <
  (select coalesce(sum(quantity), 0) from trade.fill where buy = p.id or sell = p.id)" 0
tell "no order was filled beyond its quantity"
