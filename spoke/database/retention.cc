#include "spoke/database/retention.h"

#include <cmath>

#include "spoke/database/schema.h"
#include "spoke/database/session.h"

namespace oltp20::spoke {

namespace {

constexpr double kToleratedDrift_s = 30;  // between two clocks, besides a hundredth

std::string interval(Micros us) {
  return std::to_string(us) + " microseconds";
}

// How far the database's clock ran away from ours since the last run. Before the first run of a
// process there is no measure: then a clock that went back, or a pause of a quarter of the horizon,
// counts as a jump too, since a wrong clock at boot looks just like that.
double jump_s(double now_s, std::optional<double> last_run_s, Micros horizon_us) {
  if (!last_run_s) return 0;
  const double away = now_s - *last_run_s;
  if (away < -kToleratedDrift_s) return away;
  return away > kToleratedDrift_s && away > static_cast<double>(horizon_us) / 1e6 / 4 ? away : 0;
}

}  // namespace

Retention::Retention(RetentionOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock) {}

Result<RetentionReport> Retention::run_once(Micros horizon_us) {
  auto session = Session::connect({options_.url, "oltp20-spoke retention"});
  if (!session) return session.status();
  return guard("retention in " + (*session)->label(), [&]() -> Result<RetentionReport> {
    OLTP20_TRY(check_database(**session));
    pqxx::nontransaction sql((*session)->connection());
    RetentionReport report;
    const Micros monotonic_us = clock_.monotonic_us();
    pqxx::row times = sql.exec1(
        "select extract(epoch from clock_timestamp())::double precision, "
        "extract(epoch from (select max(at) from oltp20.retention_run))::double precision, "
        "extract(epoch from (select taken_at from oltp20.tick order by number desc limit 1))"
        "::double precision");
    const double now_s = times[0].as<double>();
    double jumped_s = 0;
    if (baseline_) {
      const double ours = static_cast<double>(monotonic_us - baseline_->monotonic_us) / 1e6;
      const double away = now_s - baseline_->database_s - ours;
      if (std::fabs(away) > kToleratedDrift_s + ours / 100) jumped_s = away;
    } else if (!times[1].is_null()) {
      jumped_s = jump_s(now_s, times[1].as<double>(), horizon_us);
    }
    if (jumped_s == 0 && times[2].as<double>() > now_s + kToleratedDrift_s)
      jumped_s = now_s - times[2].as<double>();
    baseline_ = Baseline{now_s, monotonic_us};
    if (jumped_s != 0) {
      sql.exec_params0("insert into oltp20.clock_jump (seconds) values ($1::double precision)",
                       jumped_s);
      report.clock_jumped = true;
    }
    sql.exec0("insert into oltp20.retention_run default values");
    for (int slot = 0; slot < 4; ++slot) {
      try {
        const std::string why =
            sql.exec_params1("select oltp20.prune_slot($1::integer, $2::interval)", slot,
                             interval(horizon_us))[0]
                .c_str();
        if (why.empty()) ++report.emptied;
        if (!why.empty() && why != "current" && why != "empty") report.held_back = why;
      } catch (const pqxx::sql_error& error) {
        if (error.sqlstate() != "55P03") throw;
        report.held_back = "a transaction that wrote to the oldest rows' partition is still open";
      }
    }
    const Micros rotate_after_us =
        options_.rotate_after_us > 0 ? options_.rotate_after_us : horizon_us / 3;
    report.rotated =
        sql.exec_params1("select oltp20.rotate($1::interval)", interval(rotate_after_us))[0]
            .as<bool>();
    sql.exec_params("select oltp20.prune_history($1::interval)", interval(horizon_us));
    return report;
  });
}

}  // namespace oltp20::spoke
