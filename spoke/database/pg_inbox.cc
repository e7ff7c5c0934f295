#include "spoke/database/pg_inbox.h"

#include <utility>

#include "common/base/limits.h"
#include "spoke/database/inbox_state.h"
#include "spoke/database/incoming_rows.h"
#include "spoke/database/letter_retry.h"
#include "spoke/database/schema.h"
#include "spoke/database/session.h"
#include "spoke/database/small_group.h"
#include "spoke/database/table_rows.h"
#include "spoke/database/values.h"

namespace oltp20::spoke {
namespace {

// Leaves an apply whose expectation the database does not meet; nothing has happened then.
struct Mismatch {
  std::string what;
};

class Notifications final : public pqxx::notification_receiver {
 public:
  explicit Notifications(pqxx::connection_base& connection)
      : notification_receiver(connection, "oltp20_inbox") {}
  void operator()(const std::string&, int) override {}
};

class LibpqxxInbox final : public PgInbox {
 public:
  explicit LibpqxxInbox(PgInboxOptions options)
      : options_(std::move(options)), tables_(options_.handler_timeout) {}
  ~LibpqxxInbox() override { close(); }

  Result<InboxState> open(const std::string& hub) override;
  Status apply(const ApplyGroup& group) override;
  Status begin_large(const MarkMove& mark) override;
  Status add_rows(const IncomingTransaction& rows) override;
  Status begin_dead_letter(const MarkMove& mark, const DeadLetter& letter) override;
  Status add_part(std::string_view part) override;
  Status commit_large(const std::optional<StreamPosition>& expected,
                      const StreamPosition& next) override;
  void abort_large() override;
  std::uint64_t commits() const override { return commits_; }
  Result<std::uint64_t> flushed(bool at_once) override;
  int notification_socket() override { return session_ ? session_->connection().sock() : -1; }
  bool take_notification() override;
  Result<bool> retry_dead_letters() override;
  void cancel() override { canceller_.cancel(); }

 private:
  using Sql = pqxx::transaction_base;

  pqxx::connection& connection() { return session_->connection(); }
  void prepare();
  InboxState read_state();
  void move_mark(Sql& sql, const MarkMove& move);
  void move_position(Sql& sql, const std::optional<StreamPosition>& expected,
                     const StreamPosition& next);
  Status apply_once(const ApplyGroup& group);
  void write_rows(Sql& sql, const ApplyGroup& group);
  bool registry_changed();
  void keep_exceptions(Sql& sql, const ApplyGroup& group);
  void keep_dead_letter(Sql& sql, const DeadLetter& letter);
  void keep_part(Sql& sql, std::string_view content);
  void force_flush();

  template <typename Body>
  auto run(const char* doing, Body body) -> decltype(body()) {
    if (!session_) return Status(Code::unavailable, std::string(doing) + ": not connected");
    auto result = guard(std::string(doing) + " in " + session_->label(), [&]() -> decltype(body()) {
      try {
        return body();
      } catch (const Mismatch& mismatch) {
        return Status(Code::conflict,
                      session_->label() + ": " + mismatch.what + "; open again to see where it is");
      } catch (const Refused& refused) {
        return refused.why;
      }
    });
    if (!result.is_ok() && !session_->connection().is_open()) close();
    return result;
  }
  void close() {
    large_.reset();
    notifications_.reset();
    session_.reset();
  }

  PgInboxOptions options_;
  std::string hub_;
  std::shared_ptr<Session> session_;
  Canceller canceller_;
  std::unique_ptr<Notifications> notifications_;
  std::unique_ptr<pqxx::work> large_;
  IncomingTransaction large_key_;  // without rows
  bool large_has_tables_ = false;  // or handlers
  TableRows tables_;
  DeadLetter letter_;  // the one whose parts are being kept
  std::size_t letter_parts_ = 0;
  bool wal_visible_ = false;
  std::uint64_t commits_ = 0;  // of this connection
  std::uint64_t flushed_ = 0;  // of them, known to be durable
  // Commits, and an end of the write-ahead log that lies behind them, not seen flushed yet.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> asked_for_;
};

void LibpqxxInbox::prepare() {
  pqxx::connection& c = connection();
  c.prepare("mark_move",
            "update oltp20.mark set seq = $4::bigint where origin = $1 and epoch = $2::uuid "
            "and seq = $3::bigint and (select version from oltp20.registry) = $5::bigint");
  c.prepare("mark_make",
            "insert into oltp20.mark (origin, epoch, base, seq) select $1, $2::uuid, $3::bigint, "
            "$4::bigint where (select version from oltp20.registry) = $5::bigint "
            "on conflict do nothing");
  c.prepare("position_move",
            "update oltp20.stream_position set incarnation = $2::uuid, lsn = $3::bigint, "
            "hash = $4::bytea where hub = $1 and incarnation = $5::uuid and lsn = $6::bigint "
            "and hash = $7::bytea");
  c.prepare("position_make",
            "insert into oltp20.stream_position (hub, incarnation, lsn, hash) values ($1, $2::uuid,"
            " $3::bigint, $4::bytea) on conflict do nothing");
  prepare_small(c);
  prepare_incoming(c);
  TableRows::prepare(c);
}

InboxState LibpqxxInbox::read_state() {
  const WalIdentity wal = wal_identity(*session_);
  wal_visible_ = wal.visible;
  {
    pqxx::work registry(connection());
    tables_.read(registry);
  }
  InboxState state = read_inbox(connection(), wal, hub_);
  state.strict_origins = tables_.strict_origins();
  return state;
}

Result<InboxState> LibpqxxInbox::open(const std::string& hub) {
  const bool reuse = session_ && session_->connection().is_open() && !large_;
  hub_ = hub;
  ++commits_;  // what is read, others may have committed, and not flushed
  if (reuse) return run("reading the inbox", [&]() -> Result<InboxState> { return read_state(); });
  close();
  auto session = Session::connect({options_.url, "oltp20-spoke inbox"});
  if (!session) return session.status();
  session_ = std::move(*session);
  canceller_.watch(session_);
  commits_ = 1;
  flushed_ = 0;
  asked_for_.reset();
  Result<InboxState> state = run("opening the inbox", [&]() -> Result<InboxState> {
    OLTP20_TRY(check_database(*session_));
    OLTP20_TRY(take_agent_lock(*session_, AgentLock::inbox, options_.warn));
    pqxx::nontransaction(connection()).exec("set synchronous_commit = off");
    prepare();
    InboxState now = read_state();
    notifications_ = std::make_unique<Notifications>(connection());
    return now;
  });
  if (!state.is_ok()) close();
  return state;
}

void LibpqxxInbox::move_mark(Sql& sql, const MarkMove& move) {
  const std::string epoch = uuid_text(move.epoch);
  pqxx::result moved = move.expected
                           ? sql.exec_prepared("mark_move", move.origin, epoch, *move.expected,
                                               move.next, tables_.version())
                           : sql.exec_prepared("mark_make", move.origin, epoch, move.base,
                                               move.next, tables_.version());
  if (moved.affected_rows() != 1)
    throw Mismatch{"the mark of " + move.origin + " is not " +
                   (move.expected ? std::to_string(*move.expected) : "absent") +
                   " as expected, or tables or handlers were registered meanwhile"};
}

void LibpqxxInbox::move_position(Sql& sql, const std::optional<StreamPosition>& expected,
                                 const StreamPosition& next) {
  const std::string incarnation = uuid_text(next.incarnation), hash = bytea_text(next.hash.view());
  pqxx::result moved = expected
                           ? sql.exec_prepared("position_move", hub_, incarnation, next.lsn, hash,
                                               uuid_text(expected->incarnation), expected->lsn,
                                               bytea_text(expected->hash.view()))
                           : sql.exec_prepared("position_make", hub_, incarnation, next.lsn, hash);
  if (moved.affected_rows() != 1)
    throw Mismatch{"the position in the stream of hub " + hub_ + " is not the expected one"};
}

void LibpqxxInbox::keep_exceptions(Sql& sql, const ApplyGroup& group) {
  for (const KnownEpoch& known : group.epochs)
    sql.exec_params0(
        "insert into oltp20.known_epoch (origin, epoch, parent, fork_seq, fork_chain) values ($1, "
        "$2::uuid, $3::uuid, $4::bigint, $5::bytea) on conflict do nothing",
        known.origin, uuid_text(known.life.id), uuid_text(known.life.parent), known.life.fork.seq,
        bytea_text(known.life.fork.chain.view()));
  if (group.another_stream)
    sql.exec_params0(
        "update oltp20.gap set before_incarnation = $2::uuid, before_lsn = $3::bigint, "
        "before_hash = $4::bytea where hub = $1 and closed_at is null",
        hub_, uuid_text(group.position.incarnation), group.position.lsn,
        bytea_text(group.position.hash.view()));
  for (const Gap& gap : group.gaps)
    sql.exec_params0(
        "insert into oltp20.gap (origin, epoch, from_seq, to_seq, hub, before_incarnation, "
        "before_lsn, before_hash, reason) values ($1, $2::uuid, $3::bigint, $4::bigint, $5, "
        "$6::uuid, $7::bigint, $8::bytea, $9) on conflict do nothing",
        gap.origin, uuid_text(gap.epoch), gap.from, gap.to, hub_, uuid_text(gap.before.incarnation),
        gap.before.lsn, bytea_text(gap.before.hash.view()), gap.reason);
  for (const DeadLetter& letter : group.dead_letters) {
    keep_dead_letter(sql, letter);
    for (const std::string& part : letter.parts) keep_part(sql, part);
  }
}

void LibpqxxInbox::keep_dead_letter(Sql& sql, const DeadLetter& letter) {
  letter_ = {letter.origin, letter.epoch, letter.seq, {}, letter.sqlstate, ""};
  letter_parts_ = 0;
  sql.exec_params0(
      "insert into oltp20.dead_letter (origin, epoch, seq, sqlstate, error) values ($1, $2::uuid, "
      "$3::bigint, $4, $5) on conflict do nothing",
      letter.origin, uuid_text(letter.epoch), letter.seq, letter.sqlstate, letter.error);
}

void LibpqxxInbox::keep_part(Sql& sql, std::string_view content) {
  sql.exec_params0(
      "insert into oltp20.dead_letter_part (origin, epoch, seq, part, content) values ($1, "
      "$2::uuid, $3::bigint, $4::integer, $5::bytea) on conflict do nothing",
      letter_.origin, uuid_text(letter_.epoch), letter_.seq, letter_parts_++, bytea_text(content));
  if (letter_.sqlstate == "OL001") tables_.note_drift(sql, content);
}

// What was registered since is read, and the group tried again: nothing has happened then.
Status LibpqxxInbox::apply(const ApplyGroup& group) {
  for (const IncomingTransaction& transaction : group.transactions)
    OLTP20_TRY(check_text(transaction));
  Status status = apply_once(group);
  if (status.code() == Code::conflict && registry_changed()) status = apply_once(group);
  return status;
}

// Whether the registry was all that changed; strict origins are the core's to know.
bool LibpqxxInbox::registry_changed() {
  Result<bool> changed = run("reading the registry", [&]() -> Result<bool> {
    const std::vector<std::string> strict = tables_.strict_origins();
    pqxx::work sql(connection());
    return tables_.read(sql) && tables_.strict_origins() == strict;
  });
  return changed && *changed;
}

Status LibpqxxInbox::apply_once(const ApplyGroup& group) {
  return run("applying", [&]() -> Status {
    CHECK(!large_);
    const bool has_tables = tables_.concerns(group);
    if (!has_tables && is_small(group) &&
        apply_small(connection(), hub_, group, tables_.version())) {
      ++commits_;
      return {};
    }
    {
      pqxx::work sql(connection());
      if (group.durable) sql.exec0("set local synchronous_commit = local");
      for (const MarkMove& move : group.marks) move_mark(sql, move);
      move_position(sql, group.expected_position, group.position);
      if (has_tables) tables_.begin(sql);
      write_rows(sql, group);
      keep_exceptions(sql, group);
      sql.commit();
    }
    ++commits_;
    if (has_tables) session_->pin();
    return {};
  });
}

// In their order; what concerns neither tables nor handlers goes by COPY, as many at once as are
// next to each other.
void LibpqxxInbox::write_rows(Sql& sql, const ApplyGroup& group) {
  Transactions all, plain;
  for (const IncomingTransaction& transaction : group.transactions)
    if (!transaction.rows.empty()) all.push_back(&transaction);
  if (all.empty()) return;
  const KnownIds known = known_ids(sql, all);
  for (const IncomingTransaction* transaction : all) {
    if (!tables_.concerns(*transaction)) {
      plain.push_back(transaction);
      continue;
    }
    if (!plain.empty()) copy_rows(sql, plain, known);
    plain.clear();
    tables_.add(sql, *transaction, known_of(known, *transaction));
    tables_.finish(sql, *transaction, transaction != all.back());
  }
  if (!plain.empty()) copy_rows(sql, plain, known);
}

Status LibpqxxInbox::begin_large(const MarkMove& mark) {
  const auto begin = [&] {
    return run("beginning a large transaction", [&]() -> Status {
      CHECK(!large_);
      large_ = std::make_unique<pqxx::work>(connection());
      large_key_ = {mark.origin, mark.epoch, mark.next, {}, {}};
      large_has_tables_ = false;
      move_mark(*large_, mark);
      large_->exec("select oltp20.hold_registry()");
      return {};
    });
  };
  Status status = begin();
  if (!status) abort_large();
  if (status.code() == Code::conflict && registry_changed()) {
    status = begin();
    if (!status) abort_large();
  }
  return status;
}

Status LibpqxxInbox::add_rows(const IncomingTransaction& rows) {
  Status status = check_text(rows);
  if (status)
    status = run("adding rows", [&]() -> Status {
      CHECK(large_);
      if (rows.rows.empty()) return {};
      const KnownIds known = known_ids(*large_, {&rows});
      if (!tables_.concerns(rows)) {
        copy_rows(*large_, {&rows}, known);
        return {};
      }
      if (!std::exchange(large_has_tables_, true)) tables_.begin(*large_);
      tables_.add(*large_, rows, known_of(known, rows));
      return {};
    });
  if (!status) abort_large();
  return status;
}

Status LibpqxxInbox::begin_dead_letter(const MarkMove& mark, const DeadLetter& letter) {
  OLTP20_TRY(begin_large(mark));
  Status status = run("putting a large transaction aside", [&]() -> Status {
    keep_dead_letter(*large_, letter);
    return {};
  });
  if (!status) abort_large();
  return status;
}

Status LibpqxxInbox::add_part(std::string_view part) {
  Status status = run("putting a large transaction aside", [&]() -> Status {
    CHECK(large_);
    keep_part(*large_, part);
    return {};
  });
  if (!status) abort_large();
  return status;
}

Status LibpqxxInbox::commit_large(const std::optional<StreamPosition>& expected,
                                  const StreamPosition& next) {
  Status status = run("committing a large transaction", [&]() -> Status {
    CHECK(large_);
    move_position(*large_, expected, next);
    if (large_has_tables_) tables_.finish(*large_, large_key_, false);
    large_->commit();
    large_.reset();
    ++commits_;
    if (large_has_tables_) session_->pin();
    return {};
  });
  abort_large();
  return status;
}

void LibpqxxInbox::abort_large() {
  large_.reset();
}

// A commit that waits for its flush carries all earlier ones with it.
void LibpqxxInbox::force_flush() {
  pqxx::work sql(connection());
  sql.exec0("set local synchronous_commit = local");
  sql.exec("select pg_logical_emit_message(true, 'oltp20', '')");
  sql.commit();
}

// Under steady load the flush never catches up with the newest commit, so it is asked whether it
// has passed where the log ended when that was asked first.
Result<std::uint64_t> LibpqxxInbox::flushed(bool at_once) {
  return run("asking for the flush", [&]() -> Result<std::uint64_t> {
    if (flushed_ == commits_) return flushed_;
    if (wal_visible_) {
      pqxx::nontransaction sql(connection());
      const pqxx::row ends = sql.exec1(
          "select pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint, "
          "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint");
      const auto flushed_to = ends[0].as<std::uint64_t>(), end = ends[1].as<std::uint64_t>();
      if (flushed_to >= end) {
        flushed_ = commits_;
      } else if (asked_for_ && flushed_to >= asked_for_->second) {
        flushed_ = asked_for_->first;
      }
      if (!asked_for_ || asked_for_->first <= flushed_) asked_for_ = {commits_, end};
    }
    if (flushed_ < commits_ && (at_once || !wal_visible_)) {
      force_flush();
      flushed_ = commits_;
    }
    return flushed_;
  });
}

Result<bool> LibpqxxInbox::retry_dead_letters() {
  if (large_) return false;
  return run("retrying dead letters", [&]() -> Result<bool> {
    const std::size_t applied = retry_letters(connection(), tables_);
    commits_ += applied;
    session_->pin();
    return true;
  });
}

bool LibpqxxInbox::take_notification() {
  if (!session_) return true;
  if (large_) return false;
  try {
    return connection().get_notifs() > 0;
  } catch (...) {
    close();
    return true;
  }
}

}  // namespace

std::unique_ptr<PgInbox> make_pg_inbox(PgInboxOptions options) {
  return std::make_unique<LibpqxxInbox>(std::move(options));
}

}  // namespace oltp20::spoke
