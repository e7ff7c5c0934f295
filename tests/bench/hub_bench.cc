// The hub alone, beside JetStream and bare RocksDB.
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>
#include <sys/resource.h>

#include <thread>

#include "tests/bench/benches.h"
#include "tests/bench/hub_load.h"
#include "tests/bench/nats.h"
#include "tests/support/process.h"

namespace oltp20::bench {
namespace {

const std::string kJournal = "until journaled", kDeliver = "until delivered";
const std::string kHub = "OLTP 2.0 hub", kJetStream = "JetStream", kRocksDb = "bare RocksDB";
constexpr std::int64_t kWindow = 4096;       // messages that JetStream has yet to acknowledge
constexpr std::size_t kEntryOverhead = 270;  // of our journal's entry beside the part
constexpr double kPatience_s = 60;

void add(Report& report, const std::string& test, const std::string& system,
         std::int64_t transactions, double seconds, double cpu_s) {
  const auto count = static_cast<double>(transactions);
  report.add({"hub", test, system, "tx/s"}, count / seconds);
  report.add_cpu("hub", test, system, "server", cpu_s * 1e6 / count);
}

// ---- ours ---------------------------------------------------------------------------------------

double metric(const test::Network& network, const std::string& name) {
  const std::string text =
      test::run({"curl", "-fsS",
                 "http://127.0.0.1:" + std::to_string(network.http_port("hub")) + "/metrics"})
          .output;
  const std::size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size() + 2));
}

class OurHub {
 public:
  OurHub() {
    network_.start_hub();
    const bool up = test::eventually(20, [&] {
      return test::run(
                 {"curl", "-fsS", "-m", "2",
                  "http://127.0.0.1:" + std::to_string(network_.http_port("hub")) + "/healthz"})
                 .exit_code == 0;
    });
    if (!up) throw std::runtime_error("the hub does not start\n" + network_.logs());
    publisher_ = std::make_unique<HubPublisher>(link_options(network_, "pub"), "pub");
  }

  void journal(std::int64_t transactions, Report& report) {
    publisher_->encode(transactions);
    const Stopwatch watch(*this);
    publisher_->publish();
    add(report, kJournal, kHub, transactions, watch.seconds(), watch.cpu_s());
  }

  void deliver(std::int64_t transactions, Report& report) {
    publisher_->encode(transactions);
    const std::string name = "sub" + std::to_string(++consumers_);
    HubConsumer consumer(link_options(network_, name), name);
    consumer.wait_until_attached();
    const Stopwatch watch(*this);
    publisher_->publish();
    consumer.wait_for(transactions, kPatience_s);
    add(report, kDeliver, kHub, transactions, watch.seconds(), watch.cpu_s());
  }

  // What went into one fsync on average.
  std::int64_t group() const {
    const double groups = metric(network_, "oltp20_hub_group_transactions_count");
    const double all = metric(network_, "oltp20_hub_group_transactions_sum");
    return groups > 0 ? std::max<std::int64_t>(1, static_cast<std::int64_t>(all / groups)) : 1;
  }
  std::size_t part_bytes() const { return publisher_->part_bytes(); }

 private:
  class Stopwatch {
   public:
    explicit Stopwatch(OurHub& hub)
        : pid_(hub.network_.hub().pid()), start_(test::now_s()), cpu_(tree_cpu_s(pid_)) {}
    double seconds() const { return test::now_s() - start_; }
    double cpu_s() const { return tree_cpu_s(pid_) - cpu_; }

   private:
    pid_t pid_;
    double start_, cpu_;
  };

  test::Network network_;
  std::unique_ptr<HubPublisher> publisher_;
  int consumers_ = 0;
};

// ---- JetStream ----------------------------------------------------------------------------------

class JetStream {
 public:
  explicit JetStream(const std::string& program) : port_(test::free_port()) {
    test::write_file(directory_.path() + "/nats.conf",
                     "listen: 127.0.0.1:" + std::to_string(port_) +
                         "\nserver_name: bench\njetstream { store_dir: \"" + directory_.path() +
                         "/js\", max_file_store: 20G, max_memory_store: 256M }\n");
    server_ = std::make_unique<test::Process>(
        std::vector<std::string>{program, "-c", directory_.path() + "/nats.conf"},
        directory_.path() + "/log");
    if (!test::eventually(20, [&] { return ready(); }))
      throw std::runtime_error("nats-server does not start:\n" + server_->log());
  }

  void journal(std::int64_t messages, const std::string& payload, Report& report) {
    NatsConnection publisher(port_);
    make_stream(publisher);
    const double start = test::now_s(), cpu = tree_cpu_s(server_->pid());
    publish_stream(publisher, messages, payload, kWindow);
    add(report, kJournal, kJetStream, messages, test::now_s() - start,
        tree_cpu_s(server_->pid()) - cpu);
  }

  void deliver(std::int64_t messages, const std::string& payload, Report& report) {
    NatsConnection publisher(port_), consumer(port_);
    make_stream(publisher);
    make_consumer(consumer);
    const double start = test::now_s(), cpu = tree_cpu_s(server_->pid());
    std::string trouble;
    std::thread consuming([&] {
      try {
        consume_stream(consumer, messages);
      } catch (const std::exception& error) {
        trouble = error.what();
      }
    });
    try {
      publish_stream(publisher, messages, payload, kWindow);
    } catch (...) {
      consuming.join();
      throw;
    }
    consuming.join();
    if (!trouble.empty()) throw std::runtime_error(trouble);
    add(report, kDeliver, kJetStream, messages, test::now_s() - start,
        tree_cpu_s(server_->pid()) - cpu);
  }

 private:
  bool ready() {
    try {
      NatsConnection connection(port_);
      return connection.request("$JS.API.INFO", "").find("\"error\"") == std::string::npos;
    } catch (const std::runtime_error&) {
      return false;
    }
  }

  test::TemporaryDirectory directory_;
  const int port_;
  std::unique_ptr<test::Process> server_;
};

std::string nats_program() {
  const test::Outcome found = test::run({"sh", "-c", "command -v nats-server"});
  return found.exit_code == 0 ? found.output.substr(0, found.output.find('\n')) : "";
}

// ---- RocksDB ------------------------------------------------------------------------------------

double own_cpu_s() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Entries of our size in groups of our size, each group one synchronous write.
void write_rocksdb(std::int64_t entries, std::int64_t group, std::size_t bytes, Report& report) {
  test::TemporaryDirectory directory;
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 32 << 20;
  options.max_write_buffer_number = 3;
  rocksdb::DB* opened = nullptr;
  rocksdb::Status status = rocksdb::DB::Open(options, directory.path() + "/db", &opened);
  if (!status.ok()) throw std::runtime_error(status.ToString());
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions durable;
  durable.sync = true;
  std::string value(bytes, 'x');
  const double start = test::now_s(), cpu = own_cpu_s();
  for (std::int64_t at = 0; at < entries;) {
    rocksdb::WriteBatch batch;
    for (std::int64_t i = 0; i < group && at < entries; ++i, ++at) {
      std::string key = std::to_string(1'000'000'000'000 + at);
      batch.Put(key, value);
    }
    status = db->Write(durable, &batch);
    if (!status.ok()) throw std::runtime_error(status.ToString());
  }
  add(report, kJournal, kRocksDb, entries, test::now_s() - start, own_cpu_s() - cpu);
}

}  // namespace

void bench_hub(const Scale& scale, Report& report, const Progress& progress) {
  const std::string program = nats_program();
  std::unique_ptr<JetStream> nats;
  if (program.empty()) {
    report.note("JetStream was not measured: nats-server is not installed");
  } else {
    nats = std::make_unique<JetStream>(program);
    report.note(
        "JetStream does not fsync what it acknowledges, and was spoken to without TLS; our "
        "hub did both");
  }
  OurHub hub;
  report.set_reference("hub", kJetStream);
  std::int64_t group = 1;
  for (int round = 0; round < scale.rounds; ++round) {
    progress("round " + std::to_string(round + 1) + " of " + std::to_string(scale.rounds) +
             ": hub alone");
    hub.journal(scale.hub_transactions, report);
    hub.deliver(scale.hub_transactions, report);
    const std::string payload(hub.part_bytes(), 'x');
    if (nats) {
      nats->journal(scale.hub_transactions, payload, report);
      nats->deliver(scale.hub_transactions, payload, report);
    }
    group = hub.group();
    write_rocksdb(scale.hub_transactions, group, hub.part_bytes() + kEntryOverhead, report);
  }
  report.note("hub alone: parts of " + std::to_string(hub.part_bytes()) + " bytes; on average " +
              std::to_string(group) +
              " transactions shared one fsync, and RocksDB wrote groups of as many");
}

}  // namespace oltp20::bench
