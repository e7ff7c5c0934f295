#include "tests/bench/load.h"

#include <time.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <stdexcept>

#include "tests/bench/path.h"
#include "tests/support/process.h"

namespace oltp20::bench {
namespace {

constexpr int kLoaders = 4;

std::string payload() {
  std::string out;
  for (std::size_t i = 0; i < kPayloadBytes; ++i) out += static_cast<char>('a' + i * 7 % 26);
  return out;
}

std::string insert_into(const std::string& table) {
  const std::string statement = kInsert, outbox = "message.outgoing";
  return std::string(statement).replace(statement.find(outbox), outbox.size(), table);
}

// Runs `body(i)` in threads; the first exception is thrown again.
template <typename Body>
void in_threads(int count, Body body) {
  std::vector<std::thread> threads;
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      try {
        body(i);
      } catch (...) {
        errors[static_cast<std::size_t>(i)] = std::current_exception();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace

std::int64_t now_ns() {
  timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

void make_backlog(const std::string& url, std::int64_t transactions, int rows) {
  in_threads(kLoaders, [&](int i) {
    const std::int64_t share = transactions / kLoaders + (i < transactions % kLoaders ? 1 : 0);
    pqxx::connection connection(url);
    pqxx::nontransaction sql(connection);
    sql.exec("set synchronous_commit = off");
    sql.exec("do $$ begin for i in 1 .. " + std::to_string(share) +
             " loop insert into message.outgoing (type, date, payload) select 'bench.row', "
             "current_date, '" +
             payload() + "' from generate_series(1, " + std::to_string(rows) +
             "); commit; end loop; end $$");
  });
}

Driven drive(const std::string& url, int clients, int rows, double seconds,
             const std::string& table) {
  std::atomic<std::int64_t> transactions{0};
  std::atomic<int> ready{0};
  std::atomic<bool> failed{false};
  std::atomic<double> start_s{0}, end_s{0};
  std::vector<std::unique_ptr<pqxx::connection>> connections;
  for (int i = 0; i < clients; ++i) {
    connections.push_back(std::make_unique<pqxx::connection>(url));
    connections.back()->prepare("one", insert_into(table));
  }
  in_threads(clients, [&](int i) {
    pqxx::connection& connection = *connections[static_cast<std::size_t>(i)];
    pqxx::nontransaction sql(connection);
    const std::string text = payload();
    std::int64_t own = 0;
    const auto commit = [&] {
      if (rows == 1) {
        sql.exec_prepared("one", "bench.row", text);
        return;
      }
      sql.exec("begin");
      for (int row = 0; row < rows; ++row) sql.exec_prepared("one", "bench.row", text);
      sql.exec("commit");
    };
    try {
      commit();  // plans and caches
    } catch (...) {
      failed = true;
      throw;
    }
    if (++ready == clients) start_s = test::now_s();
    while (start_s == 0 && !failed) test::sleep_s(0.0001);
    const double end = start_s + seconds;
    for (; test::now_s() < end; ++own) commit();
    transactions += own;
    double last = end_s, now = test::now_s();
    while (last < now && !end_s.compare_exchange_weak(last, now)) {
    }
  });
  return {transactions, end_s - start_s};
}

// ---- probes -------------------------------------------------------------------------------------

ProbeSender::ProbeSender(const std::string& url) : connection_(url) {
  connection_.prepare("one", kInsert);
}

void ProbeSender::send() {
  pqxx::nontransaction sql(connection_);
  std::string text = std::to_string(now_ns()) + "|" + payload();
  text.resize(kPayloadBytes);
  sql.exec_prepared("one", kProbe, text);
  ++sent_;
}

class ProbeWatcher::Receiver final : public pqxx::notification_receiver {
 public:
  Receiver(pqxx::connection_base& connection, ProbeWatcher* watcher)
      : notification_receiver(connection, "probe"), watcher_(watcher) {}
  void operator()(const std::string& text, int) override { watcher_->arrived(std::stoll(text)); }

 private:
  ProbeWatcher* const watcher_;
};

ProbeWatcher::ProbeWatcher(const std::string& url) : connection_(url) {
  std::atomic<bool> listening{false};
  thread_ = std::thread([this, &listening] {
    Receiver receiver(connection_, this);
    listening = true;
    while (!stopping_) connection_.await_notification(0, 100'000);
  });
  while (!listening) test::sleep_s(0.001);
}

ProbeWatcher::~ProbeWatcher() {
  stopping_ = true;
  thread_.join();
}

void ProbeWatcher::arrived(std::int64_t sent_ns) {
  const std::int64_t now = now_ns();
  std::lock_guard lock(mutex_);
  latencies_us_.push_back(static_cast<double>(now - sent_ns) / 1000);
  last_ns_ = now;
  ++probes_;
}

void ProbeWatcher::wait_for(std::int64_t probes, double seconds) {
  std::int64_t so_far = 0;
  for (const double end = test::now_s() + seconds; test::now_s() < end; test::sleep_s(0.002)) {
    std::lock_guard lock(mutex_);
    so_far = probes_;
    if (so_far >= probes) return;
  }
  throw std::runtime_error(std::to_string(so_far) + " of " + std::to_string(probes) +
                           " probes arrived within " + std::to_string(seconds) + " s");
}

std::int64_t ProbeWatcher::last_arrival_ns() const {
  std::lock_guard lock(mutex_);
  return last_ns_;
}

std::vector<double> ProbeWatcher::take_latencies_us() {
  std::lock_guard lock(mutex_);
  return std::exchange(latencies_us_, {});
}

}  // namespace oltp20::bench
