// PgOutbox: the origin's database, through libpqxx. The rules are those of spoke/core/outbox.h.
//
// Owns one connection, made by open() and given up at the first lost answer. One thread. Memory: a
// page of transactions or rows at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "spoke/core/outbox.h"

namespace oltp20::spoke {

struct PgOutboxOptions {
  std::string url;
  std::string order = "exact";  // open() refuses a database that is set otherwise
  // Told what a person should know, such as a lock that a stranger holds. In open()'s thread.
  std::function<void(const std::string&)> warn = {};
};

class PgOutbox : public Outbox {
 public:
  // The connection's socket, to poll for what wakes a sleeping agent; -1 when there is none. It
  // changes with every open().
  virtual int notification_socket() = 0;
  // Takes in what has been notified, without blocking. True also when the connection is found to
  // be lost: the next call says so.
  virtual bool take_notification() = 0;
  // Any thread: ends the statement that is running, with an error; none is no harm.
  virtual void cancel() = 0;
};

std::unique_ptr<PgOutbox> make_pg_outbox(PgOutboxOptions options);

}  // namespace oltp20::spoke
