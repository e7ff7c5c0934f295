#include "spoke/database/backlog.h"

#include <algorithm>

#include "spoke/database/session.h"
#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

// A tick ends at or before what is journaled: `beyond` of the rows behind it are journaled already.
constexpr const char* kOutboxSql =
    "select count(distinct w.xid), coalesce((extract(epoch from min(w.sent_at)) * 1000000)::bigint,"
    " 0), $2::bigint - min(t.last) from (select snapshot, last from oltp20.tick "
    "where epoch = $1::uuid and last <= $2::bigint order by last desc, number desc limit 1) as t "
    "left join lateral (select o.xid, o.sent_at from message.outgoing o "
    "where o.xid >= pg_snapshot_xmin(t.snapshot) "
    "and not pg_visible_in_snapshot(o.xid, t.snapshot) order by o.xid limit $3::integer) as w "
    "on true";
constexpr const char* kPeopleSql =
    "select (select count(*) from oltp20.gap where closed_at is null), "
    "(select count(*) from oltp20.dead_letter where retried_at is null and discarded_at is null)";

}  // namespace

BacklogProbe::BacklogProbe(std::string url)
    : url_(std::move(url)), canceller_(std::make_unique<Canceller>()) {}

BacklogProbe::~BacklogProbe() = default;

void BacklogProbe::cancel() {
  canceller_->cancel();
}

Result<Backlog> BacklogProbe::look(bool outbox, const Epoch& epoch, Seq journaled) {
  if (!session_) {
    auto session = Session::connect({url_, "oltp20-spoke metrics"});
    if (!session) return session.status();
    session_ = std::move(*session);
    canceller_->watch(session_);
  }
  Result<Backlog> looked =
      guard("looking at what waits in " + session_->label(), [&]() -> Result<Backlog> {
        pqxx::nontransaction sql(session_->connection());
        Backlog out;
        pqxx::row people = sql.exec1(kPeopleSql);
        out.open_gaps = people[0].as<std::uint64_t>();
        out.dead_letters = people[1].as<std::uint64_t>();
        if (!outbox) return out;
        pqxx::row waiting = sql.exec_params1(kOutboxSql, uuid_text(epoch), journaled, kBacklogRows);
        auto counted = waiting[0].as<std::uint64_t>();
        auto beyond = waiting[2].is_null() ? 0 : waiting[2].as<std::uint64_t>();
        out.transactions = counted - std::min(counted, beyond);
        if (out.transactions != 0) out.oldest_us = waiting[1].as<std::int64_t>();
        return out;
      });
  if (!looked) session_.reset();
  return looked;
}

}  // namespace oltp20::spoke
