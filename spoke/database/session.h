// Session: one connection to PostgreSQL, with everything pinned that a user, a role or a database
// could have set otherwise. Internal to this folder: it shows libpqxx, so only .cc files include
// it.
//
// guard() is the one place where libpqxx's exceptions become a Status. A lost connection is
// `unavailable` and stays so: nothing reconnects by itself, the owner makes a new Session. One
// thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <pqxx/pqxx>
#include <string>
#include <utility>

#include "common/base/mutex.h"
#include "common/base/status.h"

namespace oltp20::spoke {

// The parts of a connection URL that people are told about or that roles are made from. Never
// holds what must not be printed, but the password, which only the installer uses.
struct UrlParts {
  std::string hosts, ports, database, user, password;
  std::string label() const;  // "database D at H:P", for messages
};
Result<UrlParts> parse_url(const std::string& url);

struct SessionOptions {
  std::string url;
  std::string application_name;
  bool read_write = true;  // only hosts that take writes
};

class Session {
 public:
  // Errors: unavailable (server is down, or no host takes writes), denied (it refuses us), invalid
  // (the URL), each with the remedy.
  static Result<std::unique_ptr<Session>> connect(const SessionOptions& options);

  pqxx::connection& connection() { return connection_; }
  // Any thread, while the object lives: asks the server to end the statement that is running.
  void cancel();
  // Sets again what a handler may have set for the session.
  void pin();
  const std::string& label() const { return label_; }

 private:
  Session(const std::string& conninfo, std::string label)
      : connection_(conninfo), label_(std::move(label)) {}

  pqxx::connection connection_;
  std::string label_;
};

// Lets another thread end what the owner's session is waiting for. A session that was given up
// meanwhile lives until the request is out.
class Canceller {
 public:
  void watch(const std::shared_ptr<Session>& session) {
    MutexLock lock(mutex_);
    session_ = session;
  }
  // Any thread.
  void cancel() {
    std::shared_ptr<Session> session;
    {
      MutexLock lock(mutex_);
      session = session_.lock();
    }
    if (session) session->cancel();
  }

 private:
  Mutex mutex_;
  std::weak_ptr<Session> session_ OLTP20_GUARDED_BY(mutex_);
};

// The Status of the exception that is being handled.
Status current_exception_status(const std::string& doing);
// Empty: libpq's own, of the connection.
std::string sqlstate_of(const pqxx::failure& error);
// SQLSTATE of the exception that is being handled, if it has one.
std::optional<std::string> current_sqlstate();

// Runs `body`, which returns a Status or a Result, and turns exceptions into a Status.
template <typename Body>
auto guard(const std::string& doing, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (...) {
    return current_exception_status(doing);
  }
}

}  // namespace oltp20::spoke
