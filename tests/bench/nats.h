// Debian's nats-server with JetStream, over its plain-text protocol: just what the benchmark needs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace oltp20::bench {

struct NatsMessage {
  std::string subject, reply, payload;
};

// One connection, one thread. Failures throw std::runtime_error.
class NatsConnection {
 public:
  explicit NatsConnection(int port);
  ~NatsConnection();
  NatsConnection(const NatsConnection&) = delete;

  void subscribe(const std::string& subject);
  // Collects; flush() writes.
  void publish(std::string_view subject, std::string_view reply, std::string_view payload);
  void flush();
  // The next message; false when none came within the time.
  bool receive(NatsMessage* out, double seconds);
  // A request of JetStream's API; its answer. Throws when that is an error.
  std::string request(const std::string& subject, const std::string& json);

 private:
  bool fill(double seconds);
  bool line(std::string* out, double seconds);

  int socket_ = -1;
  std::string out_, in_;
  std::size_t at_ = 0;
  int subscriptions_ = 0;
};

// What JetStream is measured with: a file stream with one replica, whose server does not fsync.
void make_stream(NatsConnection& connection);
// Publishes `messages`, at most `window` of them not yet acknowledged, until all are.
void publish_stream(NatsConnection& connection, std::int64_t messages, const std::string& payload,
                    std::int64_t window);
// Makes a push consumer for `connection`, to which everything is then delivered.
void make_consumer(NatsConnection& connection);
void consume_stream(NatsConnection& connection, std::int64_t messages);

}  // namespace oltp20::bench
