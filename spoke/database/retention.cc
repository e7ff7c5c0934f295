#include "spoke/database/retention.h"

#include <cmath>

#include "spoke/database/schema.h"
#include "spoke/database/session.h"

namespace oltp20::spoke {

namespace {

constexpr int kSlots = 4;                 // children of a ring
constexpr int kStepRows = 5'000;          // of what goes row by row, in one statement
constexpr int kSteps = 100;               // of them in one run
constexpr double kToleratedDrift_s = 30;  // between two clocks, besides a hundredth

std::string interval(Micros us) {
  return std::to_string(us) + " microseconds";
}

// How far the database's clock ran away from ours since the last run. Before the first run of a
// process there is no measure: then a clock that went back, or a pause of a quarter of the horizon,
// counts as a jump too, since a wrong clock at boot looks just like that.
double jump_since(double now_s, std::optional<double> last_run_s, Micros horizon_us) {
  if (!last_run_s) return 0;
  const double away = now_s - *last_run_s;
  if (away < -kToleratedDrift_s) return away;
  return away > kToleratedDrift_s && away > static_cast<double>(horizon_us) / 1e6 / 4 ? away : 0;
}

// Who keeps the child's lock from us.
std::string who_holds(pqxx::transaction_base& sql, int slot) {
  const std::string child = std::to_string(slot);
  std::string who = "an open transaction";
  pqxx::result holder = sql.exec(
      "select l.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, '?') "
      "from pg_locks l left join pg_stat_activity a using (pid) "
      "where l.granted and l.pid is distinct from pg_backend_pid() and l.database = (select oid "
      "from pg_database where datname = current_database()) and l.relation in ("
      "to_regclass('message.outgoing_" +
      child + "'), to_regclass('oltp20.marker_" + child + "')) order by l.pid limit 1");
  if (!holder.empty()) {
    if (holder[0][0].is_null())
      who = "a prepared transaction (see pg_prepared_xacts)";
    else
      who = "process " + std::string(holder[0][0].c_str()) + " of '" + holder[0][1].c_str() +
            "', " + holder[0][2].c_str() + ",";
  }
  return who + " reads or wrote the rows that are to go, in message.outgoing_" + child +
         ", and its transaction is still open. End it";
}

void prune(pqxx::transaction_base& sql, Micros horizon_us, RetentionReport* report) {
  for (int slot = 0; slot < kSlots; ++slot) {
    std::string why;
    bool person = true;
    try {
      why = sql.exec_params1("select oltp20.prune_slot($1::integer, $2::interval)", slot,
                             interval(horizon_us))[0]
                .c_str();
      if (why.empty()) ++report->emptied;
      if (why.empty() || why == "current" || why == "empty") continue;
      person = !why.starts_with("not yet");
    } catch (const pqxx::sql_error& error) {
      if (error.sqlstate() != "55P03") throw;
      why = who_holds(sql, slot);
    }
    if (report->needs_person && !person) continue;
    report->held_back = why;
    report->needs_person = person;
  }
}

// Busy ones are left to the next run.
void prune_receipts(pqxx::transaction_base& sql, Micros horizon_us) {
  for (int slot = 0; slot < kSlots; ++slot) try {
      sql.exec_params1("select oltp20.prune_receipts($1::integer, $2::interval)", slot,
                       interval(horizon_us));
    } catch (const pqxx::sql_error& error) {
      if (error.sqlstate() != "55P03") throw;
    }
}

// A bounded number at a time, each in a transaction of its own.
void prune_step_by_step(pqxx::transaction_base& sql, const char* function, Micros horizon_us) {
  for (int step = 0; step < kSteps; ++step) {
    const auto removed =
        sql.exec_params1(std::string("select ") + function + "($1::interval, $2::integer)",
                         interval(horizon_us), kStepRows)[0]
            .as<std::int64_t>();
    if (removed == 0) return;
  }
}

}  // namespace

Retention::Retention(RetentionOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), canceller_(std::make_unique<Canceller>()) {}

Retention::~Retention() = default;

void Retention::cancel() {
  canceller_->cancel();
}

struct Retention::Times {
  Micros monotonic_us;
  double now_s;  // by the database's clock, as all that follows
  std::optional<double> last_run_s, newest_tick_s;
};

// How far the clock jumped since the last run; 0 when it did not.
double Retention::jump_s(const Times& times, Micros horizon_us) {
  double jumped_s = 0;
  if (baseline_) {
    const double ours = static_cast<double>(times.monotonic_us - baseline_->monotonic_us) / 1e6;
    const double away = times.now_s - baseline_->database_s - ours;
    if (std::fabs(away) > kToleratedDrift_s + ours / 100) jumped_s = away;
  } else {
    jumped_s = jump_since(times.now_s, times.last_run_s, horizon_us);
  }
  if (jumped_s == 0 && times.newest_tick_s > times.now_s + kToleratedDrift_s)
    jumped_s = times.now_s - *times.newest_tick_s;
  baseline_ = Baseline{times.now_s, times.monotonic_us};
  return jumped_s;
}

Result<RetentionReport> Retention::run_once(Micros horizon_us) {
  auto connected = Session::connect({options_.url, "oltp20-spoke retention"});
  if (!connected) return connected.status();
  const std::shared_ptr<Session> session = std::move(*connected);
  canceller_->watch(session);
  return guard("retention in " + session->label(), [&]() -> Result<RetentionReport> {
    OLTP20_TRY(check_database(*session));
    pqxx::nontransaction sql(session->connection());
    RetentionReport report;
    const Micros monotonic_us = clock_.monotonic_us();
    pqxx::row times = sql.exec1(
        "select extract(epoch from clock_timestamp())::double precision, "
        "extract(epoch from (select max(at) from oltp20.retention_run))::double precision, "
        "extract(epoch from (select max(taken_at) from oltp20.tick "
        "where epoch = oltp20.current_epoch()))::double precision");
    auto known = [&](int column) {
      return times[column].is_null() ? std::nullopt : std::optional(times[column].as<double>());
    };
    const double jumped_s =
        jump_s({monotonic_us, times[0].as<double>(), known(1), known(2)}, horizon_us);
    if (jumped_s != 0) {
      sql.exec_params("select oltp20.clock_jumped($1::double precision)", jumped_s);
      report.clock_jumped = true;
    }
    sql.exec0("insert into oltp20.retention_run default values");
    prune(sql, horizon_us, &report);
    prune_receipts(sql, horizon_us);
    const Micros rotate_after_us =
        options_.rotate_after_us > 0 ? options_.rotate_after_us : horizon_us / 3;
    if (!report.clock_jumped)
      report.rotated =
          sql.exec_params1("select oltp20.rotate($1::interval)", interval(rotate_after_us))[0]
              .as<bool>();
    sql.exec_params("select oltp20.prune_history($1::interval)", interval(horizon_us));
    prune_step_by_step(sql, "oltp20.prune_rejections", horizon_us);
    sql.exec("select oltp20.refresh_published()");
    return report;
  });
}

}  // namespace oltp20::spoke
