#include "tests/bench/nats.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sstream>
#include <stdexcept>

namespace oltp20::bench {
namespace {

constexpr double kPatience_s = 30;
constexpr std::size_t kWriteBytes = 64 * 1024;
constexpr std::int64_t kAckEvery = 256;  // as many as one of our batches
const std::string kInbox = "_INBOX.bench";

}  // namespace

NatsConnection::NatsConnection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    close(socket_);
    throw std::runtime_error("nats-server does not answer on port " + std::to_string(port));
  }
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  out_ = "CONNECT {\"verbose\":false,\"pedantic\":false,\"name\":\"bench\"}\r\n";
}

NatsConnection::~NatsConnection() {
  close(socket_);
}

void NatsConnection::subscribe(const std::string& subject) {
  out_ += "SUB " + subject + " " + std::to_string(++subscriptions_) + "\r\n";
}

void NatsConnection::publish(std::string_view subject, std::string_view reply,
                             std::string_view payload) {
  out_.append("PUB ").append(subject).append(" ");
  if (!reply.empty()) out_.append(reply).append(" ");
  out_.append(std::to_string(payload.size())).append("\r\n").append(payload).append("\r\n");
  if (out_.size() >= kWriteBytes) flush();
}

void NatsConnection::flush() {
  for (std::size_t at = 0; at < out_.size();) {
    const ssize_t written = write(socket_, out_.data() + at, out_.size() - at);
    if (written <= 0) throw std::runtime_error("nats-server closed the connection");
    at += static_cast<std::size_t>(written);
  }
  out_.clear();
}

bool NatsConnection::fill(double seconds) {
  in_.erase(0, at_);
  at_ = 0;
  pollfd readable{socket_, POLLIN, 0};
  if (poll(&readable, 1, static_cast<int>(seconds * 1000)) <= 0) return false;
  char buffer[64 * 1024];
  const ssize_t got = read(socket_, buffer, sizeof buffer);
  if (got <= 0) throw std::runtime_error("nats-server closed the connection");
  in_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

bool NatsConnection::line(std::string* out, double seconds) {
  std::size_t end;
  while ((end = in_.find("\r\n", at_)) == std::string::npos)
    if (!fill(seconds)) return false;
  out->assign(in_, at_, end - at_);
  at_ = end + 2;
  return true;
}

bool NatsConnection::receive(NatsMessage* out, double seconds) {
  for (std::string text; line(&text, seconds);) {
    if (text == "PING") {
      out_ += "PONG\r\n";
      flush();
    } else if (text.starts_with("-ERR")) {
      throw std::runtime_error("nats-server says " + text);
    } else if (text.starts_with("MSG ")) {  // MSG subject sid [reply] size
      std::istringstream words(text.substr(4));
      std::string sid, third, fourth;
      words >> out->subject >> sid >> third >> fourth;
      out->reply = fourth.empty() ? "" : third;
      const std::size_t size = std::stoul(fourth.empty() ? third : fourth);
      while (in_.size() - at_ < size + 2)
        if (!fill(kPatience_s)) throw std::runtime_error("nats-server cut a message");
      out->payload.assign(in_, at_, size);
      at_ += size + 2;
      return true;
    }
  }
  return false;
}

std::string NatsConnection::request(const std::string& subject, const std::string& json) {
  const std::string reply = "_INBOX.api." + std::to_string(subscriptions_ + 1);
  subscribe(reply);
  publish(subject, reply, json);
  flush();
  NatsMessage answer;
  do {
    if (!receive(&answer, kPatience_s)) throw std::runtime_error("no answer to " + subject);
  } while (answer.subject != reply);
  return answer.payload;
}

void make_stream(NatsConnection& connection) {
  connection.request("$JS.API.STREAM.DELETE.BENCH", "");
  const std::string answer = connection.request(
      "$JS.API.STREAM.CREATE.BENCH",
      "{\"name\":\"BENCH\",\"subjects\":[\"bench.row\"],\"storage\":\"file\",\"num_replicas\":1,"
      "\"retention\":\"limits\",\"discard\":\"old\"}");
  if (answer.find("\"error\"") != std::string::npos) throw std::runtime_error(answer);
  connection.subscribe(kInbox + ".ack");
  connection.flush();
}

void publish_stream(NatsConnection& connection, std::int64_t messages, const std::string& payload,
                    std::int64_t window) {
  std::int64_t sent = 0, acknowledged = 0;
  const std::string reply = kInbox + ".ack";
  NatsMessage ack;
  while (acknowledged < messages) {
    for (; sent < messages && sent - acknowledged < window; ++sent)
      connection.publish("bench.row", reply, payload);
    connection.flush();
    // Takes what is there, and waits only for the first.
    for (double wait_s = kPatience_s; connection.receive(&ack, wait_s); wait_s = 0)
      if (ack.payload.find("\"error\"") != std::string::npos) {
        throw std::runtime_error("JetStream refuses: " + ack.payload);
      } else if (++acknowledged == messages) {
        break;
      }
    if (sent == messages && acknowledged < messages && ack.payload.empty())
      throw std::runtime_error("JetStream does not acknowledge");
  }
}

void make_consumer(NatsConnection& connection) {
  connection.subscribe("deliver.bench");
  const std::string answer = connection.request(
      "$JS.API.CONSUMER.CREATE.BENCH",
      "{\"stream_name\":\"BENCH\",\"config\":{\"deliver_subject\":\"deliver.bench\","
      "\"ack_policy\":\"all\",\"deliver_policy\":\"all\",\"replay_policy\":\"instant\","
      "\"max_ack_pending\":50000}}");
  if (answer.find("\"error\"") != std::string::npos) throw std::runtime_error(answer);
}

void consume_stream(NatsConnection& connection, std::int64_t messages) {
  NatsMessage message;
  for (std::int64_t got = 0; got < messages;) {
    if (!connection.receive(&message, kPatience_s))
      throw std::runtime_error("JetStream delivered " + std::to_string(got) + " of " +
                               std::to_string(messages));
    if (message.payload.empty() || message.reply.empty()) continue;
    if (++got % kAckEvery == 0 || got == messages) {
      connection.publish(message.reply, "", "+ACK");
      connection.flush();
    }
  }
}

}  // namespace oltp20::bench
