# shellcheck shell=bash disable=SC2154
step "two stores sell to the same customers; the warehouse's spoke is killed meanwhile"
open_store() { # PARTY CITY
  at "$1" "insert into store.product select 'sku-' || n, 'Product ' || n, n * 1.25 from generate_series(1, 10) n;
           insert into store.customer (number, name, city) select ' c-' || n, 'Customer ' || n, '$2'
             from generate_series(1, 20) n"
}
sell() { # PARTY
  at "$1" "do \$\$ begin for n in 1 .. 150 loop
             insert into store.sale (customer, sku, quantity, amount)
               select 'C-' || 1 + n % 20, sku, 1 + n % 3, (1 + n % 3) * price
               from store.product where sku = 'sku-' || 1 + n % 10;
             commit; perform pg_sleep(0.005);
           end loop; end \$\$" >/dev/null
}
open_store store-1 Dublin
open_store store-2 Oslo
sell store-1 & first=$!
sell store-2 & second=$!
sleep 0.3
kill_spoke warehouse
sleep 0.3
start_spoke warehouse
wait "$first" && wait "$second" || fail 1 "a store could not sell"
at store-1 "insert into store.customer (number, name, city) values ('c-7', 'Customer 7', 'Cork'), ('c-8', 'Customer 8', 'Dublin')"

step "what must be true"
until_answer warehouse "select count(*) from vault.link_sale" 300
until_answer warehouse "select count(*) from vault.hub_customer" 20
until_answer warehouse "select count(*) from vault.hub_product" 10
tell "20 customers and 10 products, each once, whichever store named them and however it wrote them"
until_answer warehouse "select count(*) from vault.sat_customer" 41
tell "41 satellites: 20 of each store, and the one that changed"
for store in store-1 store-2; do
  same "the turnover of $store" $store "select count(*) || ', ' || sum(amount) from store.sale" \
    warehouse "select sales || ', ' || amount from vault.turnover where store = '$store'"
done
