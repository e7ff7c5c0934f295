# shellcheck shell=bash disable=SC2154
step "both banks pay each other; the hub and bank-b's spoke are killed meanwhile"
pay() { # PARTY PAYER PAYEE TIMES
  at "$1" "do \$\$ begin for n in 1 .. $4 loop
            perform ledger.pay('$2', '$3', 1 + n % 7); commit; perform pg_sleep(0.004);
          end loop; end \$\$" >/dev/null
}
pay bank-a alice bruno 200 & first=$!
pay bank-b berta anton 200 & second=$!
sleep 0.3
kill_hub
tell "the hub is dead, the banks go on paying"
sleep 0.3
start_hub
sleep 0.3
kill_spoke bank-b
sleep 0.3
start_spoke bank-b
wait "$first" && wait "$second" || fail 1 "a bank could not pay"
at bank-a "select ledger.pay('alice', 'nobody', 42.00)" >/dev/null
tell "and alice pays 42.00 to an account that bank-b does not have"

step "what must be true"
until_answer bank-a "select count(*) from ledger.transfer" 402
until_answer bank-b "select count(*) from ledger.transfer" 402
for bank in bank-a bank-b; do
  until_answer $bank "select coalesce(sum(amount), 0) from ledger.entry" 0.00
  until_answer $bank "select count(*) from ledger.entry" 804
done
tell "each bank has all 402 transfers and 804 entries, which sum to zero"
same "the ids of all transfers" \
  bank-a "select md5(string_agg(id::text, ',' order by id)) from ledger.transfer" \
  bank-b "select md5(string_agg(id::text, ',' order by id)) from ledger.transfer"
same "what the banks owe each other, seen from both sides," \
  bank-a "select amount from ledger.balance where account = 'correspondent/bank-b'" \
  bank-b "select -amount from ledger.balance where account = 'correspondent/bank-a'"
until_answer bank-a "select sum(amount) from ledger.transfer where returns is not null" 42.00
tell "the 42.00 came back to alice, whose balance is $(at bank-a "select amount from ledger.balance where account = 'alice'")"
