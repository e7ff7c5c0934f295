// Load: the application's side (clients that commit), and the watcher at the other end.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <pqxx/pqxx>
#include <string>
#include <thread>
#include <vector>

namespace oltp20::bench {

std::int64_t now_ns();
double percentile(std::vector<double> values, double share);

// Commits transactions of `rows` rows each, as fast as the server takes them without waiting for
// its flush: a backlog is made, not measured.
void make_backlog(const std::string& url, std::int64_t transactions, int rows);

// `clients` connections that commit one transaction of `rows` rows after the other.
struct Driven {
  std::int64_t transactions = 0;
  double seconds = 0;
};
Driven drive(const std::string& url, int clients, int rows, double seconds,
             const std::string& table = "message.outgoing");

// Inserts a probe that says when it was sent.
class ProbeSender {
 public:
  explicit ProbeSender(const std::string& url);
  void send();
  std::int64_t sent() const { return sent_; }

 private:
  pqxx::connection connection_;
  std::int64_t sent_ = 0;
};

// Listens at the destination, from its construction on: how long after its sending each probe
// became visible. A thread of its own takes the time.
class ProbeWatcher {
 public:
  explicit ProbeWatcher(const std::string& url);
  ~ProbeWatcher();

  // Until so many probes have come in all; throws when they do not within the time.
  void wait_for(std::int64_t probes, double seconds);
  std::int64_t last_arrival_ns() const;
  std::vector<double> take_latencies_us();

 private:
  class Receiver;
  void listen();
  void arrived(std::int64_t sent_ns);

  pqxx::connection connection_;
  mutable std::mutex mutex_;
  std::vector<double> latencies_us_;
  std::int64_t probes_ = 0, last_ns_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace oltp20::bench
