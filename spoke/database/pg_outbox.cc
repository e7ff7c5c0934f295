#include "spoke/database/pg_outbox.h"

#include "common/base/limits.h"
#include "spoke/database/capture_sql.h"
#include "spoke/database/outbox_lives.h"
#include "spoke/database/outbox_rows.h"
#include "spoke/database/receipt_rows.h"
#include "spoke/database/schema.h"
#include "spoke/database/session.h"
#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

PendingTransaction pending_of(const pqxx::row& row) {  // xid, place, rows, bytes, largest, hops
  return {row[0].as<std::uint64_t>(), row[1].as<std::int64_t>(),
          row[2].as<std::uint32_t>(), row[3].as<std::uint64_t>(),
          row[4].as<std::uint32_t>(), static_cast<std::uint8_t>(row[5].as<int>())};
}

class Notifications final : public pqxx::notification_receiver {
 public:
  explicit Notifications(pqxx::connection_base& connection)
      : notification_receiver(connection, "oltp20_outbox") {}
  void operator()(const std::string&, int) override {}
};

class LibpqxxOutbox final : public PgOutbox {
 public:
  explicit LibpqxxOutbox(PgOutboxOptions options) : options_(std::move(options)) {}

  Result<OutboxState> open() override;
  Result<std::optional<TickResult>> take_tick(const Tick& last) override;
  Result<std::vector<Tick>> ticks_from(const Epoch& epoch, Seq from, std::size_t limit) override;
  Result<Tick> tick_at_most(const Epoch& epoch, Seq seq) override;
  Result<std::vector<PendingTransaction>> transactions(const Tick& tick, std::int64_t after_order,
                                                       std::size_t limit) override;
  Result<std::vector<OutboxRow>> rows(const std::vector<std::uint64_t>& xids,
                                      std::int64_t after_position, std::size_t limit) override;
  Result<ChainPosition> checkpoint_at_most(const Epoch& epoch, Seq seq) override;
  Status write_checkpoint(const Epoch& epoch, const ChainPosition& position,
                          const std::string& hub) override;
  Status record_rejection(const Epoch& epoch, const Rejection& rejection,
                          std::uint64_t xid) override;
  Result<std::vector<Rejection>> rejections(const Epoch& epoch, Seq after) override;
  Status write_receipts(const std::vector<DestinationReceipt>& receipts) override;
  Result<bool> somebody_waits() override;
  Result<std::vector<std::string>> receipts_off() override;
  Status begin_epoch(const EpochInfo& epoch, const Tick& from, Seq network_has,
                     const std::string& why) override;
  Status set_asleep(bool asleep) override;
  int notification_socket() override { return session_ ? session_->connection().sock() : -1; }
  bool take_notification() override;
  void cancel() override { canceller_.cancel(); }

 private:
  pqxx::connection& connection() { return session_->connection(); }
  Status check_order();
  void prepare();
  Status check_not_pruned(pqxx::transaction_base& sql, const Tick& tick);
  Status other_order(const Tick& tick) const;

  // Runs `body`; a lost connection is given up, so that later calls say `unavailable` at once.
  template <typename Body>
  auto run(const char* doing, Body body) -> decltype(body()) {
    if (!session_) return Status(Code::unavailable, std::string(doing) + ": not connected");
    auto result = guard(std::string(doing) + " in " + session_->label(), body);
    if (!result.is_ok() && !session_->connection().is_open()) close();
    return result;
  }
  void close() {
    nothing_at_.clear();
    notifications_.reset();
    session_.reset();
  }

  PgOutboxOptions options_;
  std::shared_ptr<Session> session_;
  Canceller canceller_;
  std::unique_ptr<Notifications> notifications_;  // after session_: it goes first
  WalIdentity wal_;
  bool may_notify_ = true;
  std::string nothing_at_;  // the snapshot of the last poll, if it found nothing
};

Status LibpqxxOutbox::check_order() {
  pqxx::nontransaction sql(connection());
  const std::string order =
      sql.exec1("select value from oltp20.setting where name = 'order'")[0].c_str();
  if (order == options_.order) return {};
  return Status(Code::invalid, session_->label() + " is set to order '" + order +
                                   "' and the configuration says '" + options_.order +
                                   "'. Write order = \"" + order +
                                   "\" under [spoke], or have an administrator run: select "
                                   "oltp20.set_order('" +
                                   options_.order + "')");
}

void LibpqxxOutbox::prepare() {
  connection().prepare("take_tick", take_tick_sql(wal_.visible));
  connection().prepare("snapshot", "select pg_current_snapshot()::text");
  connection().prepare("transactions", transactions_sql());
  connection().prepare("same_order", same_order_sql());
  connection().prepare("rows", rows_sql());
  connection().prepare("rows_by_xid", rows_by_xid_sql());
  prepare_receipts(connection());
}

Result<OutboxState> LibpqxxOutbox::open() {
  close();
  auto session = Session::connect({options_.url, "oltp20-spoke outbox"});
  if (!session) return session.status();
  session_ = std::move(*session);
  canceller_.watch(session_);
  Result<OutboxState> state = run("opening the outbox", [&]() -> Result<OutboxState> {
    OLTP20_TRY(check_database(*session_));
    OLTP20_TRY(check_order());
    OLTP20_TRY(take_agent_lock(*session_, AgentLock::outbox, options_.warn));
    {
      // A tick's commit is never weaker than a flush here; stronger settings stay as they are.
      pqxx::nontransaction sql(connection());
      sql.exec(
          "select set_config('synchronous_commit', 'on', false) "
          "where current_setting('synchronous_commit') in ('off', 'local', 'remote_write')");
      // A page of a tick is grouped and sorted in memory, and by this backend alone.
      sql.exec("set work_mem = '32MB'; set max_parallel_workers_per_gather = 0");
      // Everything that is asked here has its index, whatever the statistics of a ring that fills
      // and empties say; and planning a tick takes four times as long as taking it.
      sql.exec("set enable_seqscan = off; set plan_cache_mode = force_generic_plan");
    }
    wal_ = wal_identity(*session_);
    prepare();
    OutboxState now = read_lives(connection(), wal_);
    pqxx::nontransaction sql(connection());
    if (!sql.exec("select where pg_snapshot_xmax(pg_current_snapshot()) < "
                  "pg_snapshot_xmax(" +
                  sql.quote(now.last_tick.snapshot) + "::pg_snapshot)")
             .empty())
      return Status(Code::invalid,
                    session_->label() +
                        ": transaction ids started again, so this was restored from a dump and "
                        "capture cannot go on. Run oltp20-spoke uninstall --force and install.");
    may_notify_ = now.may_notify;
    return now;
  });
  if (!state.is_ok()) {
    close();
    return state;
  }
  Status listening = run("listening", [&]() -> Status {
    notifications_ = std::make_unique<Notifications>(connection());
    return {};
  });
  if (!listening) return listening;
  return state;
}

Result<std::optional<TickResult>> LibpqxxOutbox::take_tick(const Tick& last) {
  using Answer = Result<std::optional<TickResult>>;
  return run("taking a tick", [&]() -> Answer {
    const Status conflict(Code::conflict,
                          session_->label() + ": another agent has taken a tick after " +
                              std::to_string(last.number) + ". Only one may run; open again.");
    pqxx::nontransaction sql(connection());
    if (!nothing_at_.empty() && sql.exec_prepared1("snapshot")[0].c_str() == nothing_at_)
      return std::optional<TickResult>();  // the same snapshot sees the same: nothing
    nothing_at_.clear();
    pqxx::result answer;
    const Micros begun_us = system_clock().monotonic_us();
    try {
      answer = sql.exec_prepared("take_tick", last.snapshot, last.number, wal_.system_identifier,
                                 wal_.timeline, limits::kTickPage);
    } catch (const pqxx::unique_violation&) {
      return conflict;
    }
    // place, xid, rows, bytes, largest, tick, epoch, snapshot, volume, columns of a row, hops
    const pqxx::row head = answer.at(0);
    if (head[1].as<int>() != 1) return conflict;
    if (head[5].is_null()) {
      nothing_at_ = head[7].c_str();
      return std::optional<TickResult>();
    }
    TickResult result;
    result.tick.number = head[5].as<std::uint64_t>();
    result.tick.epoch = id_of_uuid<Epoch>(head[6].c_str());
    result.tick.previous = last.snapshot;
    result.tick.snapshot = head[7].c_str();
    result.tick.first = head[2].as<Seq>();
    result.tick.last = head[3].as<Seq>();
    result.tick.wal_lsn = head[4].as<std::uint64_t>();
    result.tick.server = {wal_.system_identifier, wal_.timeline};
    result.bytes = head[8].as<std::uint64_t>();
    result.took_us = system_clock().monotonic_us() - begun_us;
    read_head(answer, &result);
    return std::optional<TickResult>(std::move(result));
  });
}

Result<std::vector<Tick>> LibpqxxOutbox::ticks_from(const Epoch& epoch, Seq from,
                                                    std::size_t limit) {
  return run("reading ticks", [&]() -> Result<std::vector<Tick>> {
    pqxx::nontransaction sql(connection());
    std::vector<Tick> out;
    for (const auto& row :
         sql.exec_params(std::string("select ") + kTickColumns +
                             " from oltp20.tick where epoch = $1::uuid and last >= $2::bigint "
                             "and last >= first order by last limit $3::bigint",
                         uuid_text(epoch), from, limit))
      out.push_back(tick_of(row));
    return out;
  });
}

Result<Tick> LibpqxxOutbox::tick_at_most(const Epoch& epoch, Seq seq) {
  return run("reading a tick", [&]() -> Result<Tick> {
    pqxx::nontransaction sql(connection());
    pqxx::result found =
        sql.exec_params(std::string("select ") + kTickColumns +
                            " from oltp20.tick where epoch = $1::uuid and last <= $2::bigint "
                            "order by last desc, number desc limit 1",
                        uuid_text(epoch), seq);
    if (!found.empty()) {
      Tick tick = tick_of(found[0]);
      if (tick.last == 0) tick.number = 0;  // the anchor: before the epoch's first transaction
      return tick;
    }
    // Pruned, or no such epoch: before the oldest tick that is left.
    found = sql.exec_params(std::string("select ") + kTickColumns +
                                " from oltp20.tick where epoch = $1::uuid order by number limit 1",
                            uuid_text(epoch));
    Tick none;
    none.epoch = epoch;
    if (!found.empty()) none.snapshot = none.previous = tick_of(found[0]).previous;
    return none;
  });
}

Status LibpqxxOutbox::check_not_pruned(pqxx::transaction_base& sql, const Tick& tick) {
  const Seq pruned = sql.exec_params1(
                            "select coalesce(max(seq), 0) from oltp20.pruned "
                            "where epoch = $1::uuid",
                            uuid_text(tick.epoch))[0]
                         .as<Seq>();
  if (pruned < tick.first) return {};
  return Status(Code::not_found, session_->label() + ": retention has dropped rows up to seq " +
                                     std::to_string(pruned) + ", and the tick begins at " +
                                     std::to_string(tick.first));
}

Status LibpqxxOutbox::other_order(const Tick& tick) const {
  return Status(Code::corrupt,
                session_->label() + ": the transactions of tick " + std::to_string(tick.number) +
                    " (seq " + std::to_string(tick.first) + " to " + std::to_string(tick.last) +
                    ") are in another order than when it was taken: rows of message.outgoing or "
                    "oltp20.marker are gone or were changed. Nothing of it is sent. Restore them, "
                    "or reinstall to begin a new epoch.");
}

Result<std::vector<PendingTransaction>> LibpqxxOutbox::transactions(const Tick& tick,
                                                                    std::int64_t after_order,
                                                                    std::size_t limit) {
  using Answer = Result<std::vector<PendingTransaction>>;
  return run("reading a tick's transactions", [&]() -> Answer {
    pqxx::nontransaction sql(connection());
    std::vector<PendingTransaction> out;
    for (const auto& row :
         sql.exec_prepared("transactions", tick.previous, tick.snapshot, after_order, limit))
      out.push_back(pending_of(row));
    pqxx::result same;
    if (after_order <= 0)
      same = sql.exec_prepared("same_order", tick.previous, tick.snapshot, tick.number);
    // Afterwards: a child that was emptied meanwhile reads as if it had always been.
    OLTP20_TRY(check_not_pruned(sql, tick));
    if (!same.empty() && !same[0][0].as<bool>()) return other_order(tick);
    return out;
  });
}

Result<std::vector<OutboxRow>> LibpqxxOutbox::rows(const std::vector<std::uint64_t>& xids,
                                                   std::int64_t after_position, std::size_t limit) {
  return run("reading rows", [&]() -> Result<std::vector<OutboxRow>> {
    pqxx::nontransaction sql(connection());
    const bool resumes = after_position > 0;
    if (!resumes && xids.size() > 1) {
      pqxx::result all = sql.exec_prepared("rows_by_xid", array_text(xids), limit);
      if (all.size() < limit) return rows_by_xid(all, xids);
    }
    return rows_by_place(sql.exec_prepared("rows", array_text(xids), after_position, limit), xids,
                         resumes, limit);
  });
}

Result<ChainPosition> LibpqxxOutbox::checkpoint_at_most(const Epoch& epoch, Seq seq) {
  return run("reading a checkpoint", [&]() -> Result<ChainPosition> {
    pqxx::nontransaction sql(connection());
    ChainPosition out;
    for (const auto& row :
         sql.exec_params("select seq, chain from oltp20.checkpoint where epoch = $1::uuid "
                         "and seq <= $2::bigint order by seq desc limit 1",
                         uuid_text(epoch), seq))
      out = {row[0].as<Seq>(), Hash::from(bytea_bytes(row[1].c_str()))};
    return out;
  });
}

Status LibpqxxOutbox::write_checkpoint(const Epoch& epoch, const ChainPosition& position,
                                       const std::string& hub) {
  return run("writing a checkpoint", [&]() -> Status {
    pqxx::nontransaction sql(connection());
    pqxx::result written = sql.exec_params(
        "insert into oltp20.checkpoint (epoch, seq, chain, hub) values ($1::uuid, $2::bigint, "
        "$3::bytea, $4) on conflict do nothing",
        uuid_text(epoch), position.seq, bytea_text(position.chain.view()), hub);
    if (written.affected_rows() == 1) return {};
    pqxx::row known = sql.exec_params1(
        "select chain = $3::bytea from oltp20.checkpoint where epoch = $1::uuid and seq = "
        "$2::bigint",
        uuid_text(epoch), position.seq, bytea_text(position.chain.view()));
    if (known[0].as<bool>()) return {};
    return Status(Code::conflict, "a checkpoint of seq " + std::to_string(position.seq) +
                                      " with another chain is recorded already");
  });
}

Status LibpqxxOutbox::record_rejection(const Epoch& epoch, const Rejection& rejection,
                                       std::uint64_t xid) {
  return run("recording a refusal", [&]() -> Status {
    pqxx::nontransaction sql(connection());
    sql.exec_params0(
        "insert into oltp20.rejection (epoch, seq, xid, code, reason) values ($1::uuid, "
        "$2::bigint, $3::text::xid8, $4, $5) on conflict do nothing",
        uuid_text(epoch), rejection.seq, std::to_string(xid), rejection.code, rejection.reason);
    return {};
  });
}

Result<std::vector<Rejection>> LibpqxxOutbox::rejections(const Epoch& epoch, Seq after) {
  return run("reading refusals", [&]() -> Result<std::vector<Rejection>> {
    pqxx::nontransaction sql(connection());
    std::vector<Rejection> out;
    for (const auto& row : sql.exec_params("select seq, code, reason from oltp20.rejection where "
                                           "epoch = $1::uuid and seq > $2::bigint order by seq",
                                           uuid_text(epoch), after))
      out.push_back({row[0].as<Seq>(), row[1].c_str(), row[2].c_str()});
    return out;
  });
}

Status LibpqxxOutbox::write_receipts(const std::vector<DestinationReceipt>& receipts) {
  return run("writing receipts", [&]() -> Status {
    put_receipts(connection(), receipts);
    return {};
  });
}

Result<bool> LibpqxxOutbox::somebody_waits() {
  return run("looking for who waits",
             [&]() -> Result<bool> { return spoke::somebody_waits(connection()); });
}

Result<std::vector<std::string>> LibpqxxOutbox::receipts_off() {
  return run("reading whose receipts are off", [&]() -> Result<std::vector<std::string>> {
    pqxx::nontransaction sql(connection());
    return spoke::receipts_off(sql);
  });
}

Status LibpqxxOutbox::begin_epoch(const EpochInfo& epoch, const Tick& from, Seq network_has,
                                  const std::string& why) {
  return run("beginning an epoch", [&]() -> Status {
    return begin_life(*session_, wal_, epoch, from, network_has, why);
  });
}

Status LibpqxxOutbox::set_asleep(bool asleep) {
  if (!may_notify_) return {};
  return run("setting the wake flag", [&]() -> Status {
    pqxx::nontransaction sql(connection());
    // Seen by all at once; that it need not be flushed spares one flush for each falling asleep.
    sql.exec(asleep ? "begin; set local synchronous_commit = off; "
                      "select setval('oltp20.asleep', 1, true) "
                      "where pg_sequence_last_value('oltp20.asleep') is null; commit"
                    : "select setval('oltp20.asleep', 1, false)");
    return {};
  });
}

bool LibpqxxOutbox::take_notification() {
  if (!session_) return true;
  try {
    return connection().get_notifs() > 0;
  } catch (...) {
    close();
    return true;
  }
}

}  // namespace

std::unique_ptr<PgOutbox> make_pg_outbox(PgOutboxOptions options) {
  return std::make_unique<LibpqxxOutbox>(std::move(options));
}

}  // namespace oltp20::spoke
